package lambdahttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// errNoRequest is what an event that comes from elsewhere is answered with.
var errNoRequest = errors.New("lambdahttp: the event is no request of a function URL, an API Gateway or a load balancer")

// event is a request in any of the three forms.
type event struct {
	// Of all.
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`

	// Payload version 2.0, which function URLs have, too.
	Version        string   `json:"version"`
	RawPath        string   `json:"rawPath"`
	RawQueryString string   `json:"rawQueryString"`
	Cookies        []string `json:"cookies"`

	// Payload version 1.0 and load balancers.
	HTTPMethod                      string              `json:"httpMethod"`
	Path                            string              `json:"path"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`

	RequestContext struct {
		DomainName string           `json:"domainName"`
		ELB        *json.RawMessage `json:"elb"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
	} `json:"requestContext"`
}

// isV2 tells whether it has payload version 2.0.
func (e *event) isV2() bool { return e.RequestContext.HTTP.Method != "" }

// isELB tells whether it comes from a load balancer.
func (e *event) isELB() bool { return e.RequestContext.ELB != nil }

// newRequest makes a request of an event.
func newRequest(ctx context.Context, raw json.RawMessage) (*event, *http.Request, error) {
	e := &event{}
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, nil, fmt.Errorf("lambdahttp: %w", err)
	}
	method, u := e.HTTPMethod, newURL(e.Path, e.query())
	if e.isV2() { // its path comes decoded
		method, u = e.RequestContext.HTTP.Method, &url.URL{Path: cmp.Or(e.RawPath, "/"), RawQuery: e.RawQueryString}
	}
	if method == "" {
		return nil, nil, errNoRequest
	}
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return nil, nil, fmt.Errorf("lambdahttp: body: %w", err)
		}
		body = decoded
	}
	r := &http.Request{
		Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.header(), Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	r.RequestURI = r.URL.RequestURI()
	if r.Host = r.Header.Get("Host"); r.Host == "" {
		r.Host = e.RequestContext.DomainName
	}
	r.Header.Del("Host") // as in net/http's server
	r.RemoteAddr = e.remoteAddr(r.Header)
	return e, r.WithContext(context.WithValue(ctx, eventKey{}, raw)), nil
}

// newURL is the URL of a request whose path comes as it was sent. One that is
// not escaped as it should be is taken as it is.
func newURL(path, query string) *url.URL {
	u := &url.URL{Path: cmp.Or(path, "/"), RawQuery: query}
	if unescaped, err := url.PathUnescape(u.Path); err == nil {
		u.Path, u.RawPath = unescaped, u.Path
	}
	return u
}

// query is the query of version 1.0, whose parameters come decoded, or of a
// load balancer, which leaves them as they were.
func (e *event) query() string {
	values := e.MultiValueQueryStringParameters
	if values == nil {
		values = map[string][]string{}
		for name, value := range e.QueryStringParameters {
			values[name] = []string{value}
		}
	}
	if !e.isELB() {
		return url.Values(values).Encode()
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "&")
}

// header is the request's header.
func (e *event) header() http.Header {
	h := http.Header{}
	for name, value := range e.Headers {
		h.Set(name, value)
	}
	for name, values := range e.MultiValueHeaders {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if len(e.Cookies) > 0 {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h
}

// remoteAddr is the caller's address; its port is not known.
func (e *event) remoteAddr(h http.Header) string {
	ip := e.RequestContext.HTTP.SourceIP
	if ip == "" {
		ip = e.RequestContext.Identity.SourceIP
	}
	if ip == "" && e.isELB() {
		// The last is who has called the load balancer; those before are what
		// that one says.
		forwarded := h.Get("X-Forwarded-For")
		ip = strings.TrimSpace(forwarded[strings.LastIndexByte(forwarded, ',')+1:])
	}
	return net.JoinHostPort(ip, "0")
}
