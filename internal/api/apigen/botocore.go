package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
)

// The part of botocore's service model that we read. Member order matters, and
// encoding/json keeps none for maps, so structures decode through ordered.
type botocoreModel struct {
	Metadata struct {
		APIVersion string `json:"apiVersion"`
		Protocol   string `json:"protocol"`
	} `json:"metadata"`
	Operations map[string]struct {
		HTTP struct {
			Method       string `json:"method"`
			RequestURI   string `json:"requestUri"`
			ResponseCode int    `json:"responseCode"`
		} `json:"http"`
		Input  *botocoreRef  `json:"input"`
		Output *botocoreRef  `json:"output"`
		Errors []botocoreRef `json:"errors"`
	} `json:"operations"`
	Shapes map[string]*botocoreShape `json:"shapes"`
}

type botocoreRef struct {
	Shape        string `json:"shape"`
	Location     string `json:"location"`
	LocationName string `json:"locationName"`
}

type botocoreShape struct {
	Type        string         `json:"type"`
	Members     ordered        `json:"members"`
	Required    []string       `json:"required"`
	Payload     string         `json:"payload"`
	Member      botocoreRef    `json:"member"`
	Key         botocoreRef    `json:"key"`
	Value       botocoreRef    `json:"value"`
	Min         json.Number    `json:"min"`
	Max         json.Number    `json:"max"`
	Pattern     string         `json:"pattern"`
	Enum        []string       `json:"enum"`
	Exception   bool           `json:"exception"`
	Fault       bool           `json:"fault"`
	EventStream bool           `json:"eventstream"`
	Sensitive   bool           `json:"sensitive"`
	Error       *botocoreError `json:"error"`
}

type botocoreError struct {
	HTTPStatusCode int `json:"httpStatusCode"`
}

// ordered is a JSON object of references that remembers its order.
type ordered []orderedMember

type orderedMember struct {
	name string
	ref  botocoreRef
}

// UnmarshalJSON reads the object member by member.
func (o *ordered) UnmarshalJSON(data []byte) error {
	var byName map[string]botocoreRef
	if err := json.Unmarshal(data, &byName); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil { // the opening brace
		return err
	}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		name, ok := tok.(string)
		if !ok {
			return fmt.Errorf("member name is a %T", tok)
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
		*o = append(*o, orderedMember{name, byName[name]})
	}
	return nil
}

// ImportBotocore converts a service model in botocore's form.
func ImportBotocore(r io.Reader) (*Model, error) {
	var in botocoreModel
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, err
	}
	if in.Metadata.Protocol != "rest-json" {
		return nil, fmt.Errorf("protocol %q: only rest-json is understood", in.Metadata.Protocol)
	}
	m := &Model{Version: in.Metadata.APIVersion, Shapes: make(map[string]*Shape)}
	for name, op := range in.Operations {
		if op.Input == nil {
			return nil, fmt.Errorf("operation %s has no input", name)
		}
		o := &OpModel{
			Name: name, Method: op.HTTP.Method, URI: op.HTTP.RequestURI, Status: op.HTTP.ResponseCode,
			Input: op.Input.Shape,
		}
		if op.Output != nil {
			o.Output = op.Output.Shape
		}
		for _, e := range op.Errors {
			o.Errors = append(o.Errors, e.Shape)
		}
		sort.Strings(o.Errors)
		m.Operations = append(m.Operations, o)
	}
	sort.Slice(m.Operations, func(i, j int) bool { return m.Operations[i].Name < m.Operations[j].Name })
	for name, s := range in.Shapes {
		shape, err := s.convert(name)
		if err != nil {
			return nil, fmt.Errorf("shape %s: %w", name, err)
		}
		m.Shapes[name] = shape
	}
	return m, m.check()
}

func (s *botocoreShape) convert(name string) (*Shape, error) {
	out := &Shape{
		Name: name, Kind: Kind(s.Type), Min: s.Min.String(), Max: s.Max.String(), Pattern: s.Pattern,
		Enum: s.Enum, EventStream: s.EventStream, Sensitive: s.Sensitive, Fault: s.Fault,
	}
	switch out.Kind {
	case KindList:
		out.Elem = s.Member.Shape
	case KindMap:
		out.Key, out.Elem = s.Key.Shape, s.Value.Shape
	case KindStructure:
		if s.Exception {
			out.Kind = KindError
			if s.Error == nil {
				return nil, fmt.Errorf("exception without a status")
			}
			out.Status = s.Error.HTTPStatusCode
		}
	}
	places := map[string]string{"": "", "uri": "uri", "querystring": "query", "header": "header", "statusCode": "status"}
	for _, mem := range s.Members {
		where, ok := places[mem.ref.Location]
		if !ok {
			return nil, fmt.Errorf("member %s: location %q is not understood", mem.name, mem.ref.Location)
		}
		if mem.name == s.Payload {
			where = "payload"
		}
		wire := mem.ref.LocationName
		if wire == mem.name {
			wire = ""
		}
		if wire != "" && where == "" {
			return nil, fmt.Errorf("member %s: a JSON name of its own is not understood", mem.name)
		}
		out.Members = append(out.Members, &Member{
			Name: mem.name, Shape: mem.ref.Shape, Required: slices.Contains(s.Required, mem.name),
			Where: where, Wire: wire,
		})
	}
	return out, nil
}
