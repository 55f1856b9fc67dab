package functionurl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// event is a request as a function sees it, in payload format 2.0.
type event struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        requestContext    `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	Authorizer   *authorizer `json:"authorizer,omitempty"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type authorizer struct {
	IAM iamContext `json:"iam"`
}

type iamContext struct {
	AccessKey       string  `json:"accessKey"`
	AccountID       string  `json:"accountId"`
	CallerID        string  `json:"callerId"`
	CognitoIdentity *string `json:"cognitoIdentity"`
	PrincipalOrgID  *string `json:"principalOrgId"`
	UserARN         string  `json:"userArn"`
	UserID          string  `json:"userId"`
}

const defaultRoute = "$default"

// event builds the JSON of a request's event.
func (h *Handler) event(r *http.Request, c Call, traceID string) ([]byte, error) {
	path, err := url.PathUnescape(c.Path)
	if err != nil {
		return nil, api.NewInvalidParameterValue("The path is not percent-encoded as it should be.")
	}
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	now := h.cfg.Clock.Now().UTC()
	e := event{
		Version: "2.0", RouteKey: defaultRoute, RawPath: path, RawQueryString: r.URL.RawQuery,
		Cookies: cookies(r), Headers: headers(r, c, source, traceID), QueryStringParameters: parameters(r.URL.RawQuery),
		RequestContext: requestContext{
			AccountID: "anonymous", APIID: c.URL.ID, DomainPrefix: c.URL.ID,
			DomainName: function.URLHost(c.URL.ID, c.URL.Key.Region, h.cfg.Domain),
			HTTP: httpContext{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent(),
			},
			RequestID: c.RequestID, RouteKey: defaultRoute, Stage: defaultRoute,
			Time: now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
	}
	if who := c.Caller; who != nil {
		e.RequestContext.AccountID = who.Account
		e.RequestContext.Authorizer = &authorizer{iamContext{
			AccessKey: who.AccessKey, AccountID: who.Account, CallerID: who.Account, UserARN: who.ARN, UserID: who.Account,
		}}
	}
	if len(c.Body) > 0 {
		e.Body, e.IsBase64Encoded = encodeBody(r.Header.Get("Content-Type"), c.Body)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// encodeBody is the body as text, or as base64 where it is not known to be one.
func encodeBody(contentType string, body []byte) (text string, encoded bool) {
	if isText(contentType) && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

// isText reports whether bodies of a content type are passed as text. AWS's
// list is not published.
func isText(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}

func cookies(r *http.Request) []string {
	var all []string
	for _, line := range r.Header["Cookie"] {
		for c := range strings.SplitSeq(line, ";") {
			if c = strings.TrimSpace(c); c != "" {
				all = append(all, c)
			}
		}
	}
	return all
}

// parameters are the query's, those that come again joined.
func parameters(query string) map[string]string {
	values, _ := url.ParseQuery(query) // what is malformed is left out
	if len(values) == 0 {
		return nil
	}
	all := make(map[string]string, len(values))
	for name, v := range values {
		all[name] = strings.Join(v, ",")
	}
	return all
}

// headers are the request's with those that AWS adds. Credentials of a signed
// request are the caller's and stay here.
func headers(r *http.Request, c Call, source, traceID string) map[string]string {
	all := make(map[string]string, len(r.Header)+5)
	for name, values := range r.Header {
		switch name = strings.ToLower(name); {
		case hopByHop(name):
		case c.Caller != nil && (name == "authorization" || name == "x-amz-security-token"):
		default:
			all[name] = strings.Join(values, ",")
		}
	}
	all["host"] = r.Host
	if len(c.Body) > 0 {
		all["content-length"] = strconv.Itoa(len(c.Body))
	}
	all["x-amzn-trace-id"] = traceID
	all["x-forwarded-for"] = source
	all["x-forwarded-proto"] = "http"
	all["x-forwarded-port"] = "80"
	if _, port, err := net.SplitHostPort(r.Host); err == nil && port != "" {
		all["x-forwarded-port"] = port
	}
	return all
}

// hopByHop reports whether a header is about one connection only.
func hopByHop(lower string) bool {
	switch lower {
	case "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
		"te", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return false
}
