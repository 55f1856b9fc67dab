package api

import (
	"net/url"
	"strings"
)

// maxLabels is the most {labels} that a path has.
const maxLabels = 3

// PathParams are the decoded values of a path's labels, in order.
type PathParams [maxLabels]string

// RouterConfig configures a Router.
type RouterConfig struct {
	// SpoolDir is the folder for uploads; empty is the system's folder for
	// temporary files.
	SpoolDir string
}

// A Router finds operations. It is immutable and safe for concurrent use.
type Router struct {
	root node
	ops  []*Operation
}

// A node is one level of paths: what may follow a segment.
type node struct {
	literal map[string]*node
	label   *node
	ops     []*Operation // that end here; those with a query literal first
}

// NewRouter builds the route table of all operations.
func NewRouter(cfg RouterConfig) *Router {
	rt := &Router{ops: operationTable()}
	for _, op := range rt.ops {
		op.spool = cfg.SpoolDir
		rt.root.add(op)
	}
	return rt
}

// Operations lists all operations by name.
func (rt *Router) Operations() []*Operation { return append([]*Operation(nil), rt.ops...) }

// Operation returns the operation of that name, or nil.
func (rt *Router) Operation(name string) *Operation {
	for _, op := range rt.ops {
		if op.Name == name {
			return op
		}
	}
	return nil
}

func (n *node) add(op *Operation) {
	for _, seg := range op.segments {
		n = n.child(seg)
	}
	if op.queryKey != "" {
		n.ops = append([]*Operation{op}, n.ops...)
		return
	}
	n.ops = append(n.ops, op)
}

func (n *node) child(seg string) *node {
	if seg == "" {
		if n.label == nil {
			n.label = &node{}
		}
		return n.label
	}
	if n.literal == nil {
		n.literal = make(map[string]*node)
	}
	if n.literal[seg] == nil {
		n.literal[seg] = &node{}
	}
	return n.literal[seg]
}

// Lookup finds the operation for a request line. The path is the raw one
// (url.URL.EscapedPath): it is split first and its segments decoded then, so
// that an encoded ARN is one segment. One trailing slash is ignored. The
// error is an UnknownOperationException or a MethodNotAllowedException.
func (rt *Router) Lookup(method, escapedPath, rawQuery string) (*Operation, PathParams, error) {
	var params PathParams
	rest, ok := strings.CutPrefix(strings.TrimSuffix(escapedPath, "/"), "/")
	if !ok {
		return nil, params, unknownPath(method, escapedPath)
	}
	n, labels := &rt.root, 0
	for more := true; more; {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		if next := n.literal[seg]; next != nil {
			n = next
			continue
		}
		if n.label == nil || seg == "" || labels == maxLabels {
			return nil, params, unknownPath(method, escapedPath)
		}
		value, err := url.PathUnescape(seg)
		if err != nil {
			return nil, params, unknownPath(method, escapedPath)
		}
		params[labels] = value
		labels++
		n = n.label
	}
	if len(n.ops) == 0 {
		return nil, params, unknownPath(method, escapedPath)
	}
	for _, op := range n.ops {
		if op.Method == method && (op.queryKey == "" || queryHas(rawQuery, op.queryKey, op.queryValue)) {
			return op, params, nil
		}
	}
	return nil, params, NewMethodNotAllowed("%s is not allowed for %s", clip(method), clip(escapedPath))
}

func unknownPath(method, path string) error {
	return NewUnknownOperation("There is no operation %s %s", clip(method), clip(path))
}

func queryHas(rawQuery, key, value string) bool {
	if rawQuery == "" {
		return false
	}
	q, _ := url.ParseQuery(rawQuery) // broken pairs are left out
	return q.Get(key) == value
}
