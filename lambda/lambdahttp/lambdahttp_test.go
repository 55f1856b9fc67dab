package lambdahttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/lambdahttp"
)

// The same request as its callers send it.
var requests = map[string]string{
	"function URL": `{"version":"2.0","routeKey":"$default","rawPath":"/a b/c","rawQueryString":"q=1&q=%C3%A9","cookies":["c=1","d=2"],
		"headers":{"host":"x.lambda-url.us-east-1.on.aws","x-one":"1,2","content-type":"text/plain"},
		"requestContext":{"domainName":"x.lambda-url.us-east-1.on.aws","http":{"method":"POST","path":"/a b/c","sourceIp":"192.0.2.1"}},"body":"aGVsbG8=","isBase64Encoded":true}`,
	"HTTP API": `{"version":"2.0","routeKey":"POST /{proxy+}","rawPath":"/a b/c","rawQueryString":"q=1&q=%C3%A9","cookies":["c=1","d=2"],
		"headers":{"x-one":"1,2","content-type":"text/plain"},
		"requestContext":{"domainName":"x.lambda-url.us-east-1.on.aws","http":{"method":"POST","sourceIp":"192.0.2.1"}},"body":"hello"}`,
	"REST API": `{"resource":"/{proxy+}","path":"/a%20b/c","httpMethod":"POST","headers":{"Host":"x.lambda-url.us-east-1.on.aws","X-One":"2","Cookie":"c=1; d=2"},
		"multiValueHeaders":{"Host":["x.lambda-url.us-east-1.on.aws"],"X-One":["1","2"],"Cookie":["c=1; d=2"],"content-type":["text/plain"]},
		"queryStringParameters":{"q":"é"},"multiValueQueryStringParameters":{"q":["1","é"]},
		"requestContext":{"domainName":"y","identity":{"sourceIp":"192.0.2.1"}},"body":"hello","isBase64Encoded":false}`,
	"load balancer": `{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"POST","path":"/a%20b/c",
		"multiValueQueryStringParameters":{"q":["1","%C3%A9"]},
		"multiValueHeaders":{"host":["x.lambda-url.us-east-1.on.aws"],"x-one":["1","2"],"cookie":["c=1; d=2"],"content-type":["text/plain"],"x-forwarded-for":["198.51.100.7, 192.0.2.1"]},
		"body":"hello","isBase64Encoded":false}`,
	"load balancer, single values": `{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"POST","path":"/a%20b/c","queryStringParameters":{"q":"1"},
		"headers":{"host":"x.lambda-url.us-east-1.on.aws","x-one":"1,2","cookie":"c=1; d=2","content-type":"text/plain","x-forwarded-for":"192.0.2.1"},
		"body":"hello","isBase64Encoded":false}`,
}

func TestRequest(t *testing.T) {
	for name, event := range requests {
		t.Run(name, func(t *testing.T) {
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				cookie, err := r.Cookie("d")
				if err != nil {
					t.Fatal(err)
				}
				got := []string{r.Method, r.URL.Path, r.URL.EscapedPath(), r.Host, r.RemoteAddr, r.Header.Get("Host"), r.Header.Get("Content-Type"), strings.Join(r.Header["X-One"], ","), cookie.Value, string(body), fmt.Sprint(r.ContentLength)}
				want := []string{"POST", "/a b/c", "/a%20b/c", "x.lambda-url.us-east-1.on.aws", "192.0.2.1:0", "", "text/plain", "1,2", "2", "hello", "5"}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				queries, uri := []string{"1", "é"}, "/a%20b/c?q=1&q=%C3%A9"
				if strings.HasSuffix(name, "single values") {
					queries, uri = []string{"1"}, "/a%20b/c?q=1"
				}
				if q := r.URL.Query()["q"]; !cmp.Equal(q, queries) || r.RequestURI != uri {
					t.Errorf("query %q of %s", q, r.RequestURI)
				}
				if raw, ok := lambdahttp.EventFromContext(r.Context()); !ok || string(raw) != event {
					t.Errorf("event %s", raw)
				}
			})
			if _, err := lambdahttp.Wrap(handler)(t.Context(), json.RawMessage(event)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // too late
		w.Header().Set("X-Late", "1")
		_, _ = io.WriteString(w, "<p>short & stout</p>")
	})
	for name, want := range map[string]string{
		"function URL":                 `{"statusCode":418,"headers":{"Content-Type":"text/html; charset=utf-8","X-Two":"1,2"},"cookies":["a=1","b=2"],"body":"\u003cp\u003eshort \u0026 stout\u003c/p\u003e","isBase64Encoded":false}`,
		"HTTP API":                     `{"statusCode":418,"headers":{"Content-Type":"text/html; charset=utf-8","X-Two":"1,2"},"cookies":["a=1","b=2"],"body":"\u003cp\u003eshort \u0026 stout\u003c/p\u003e","isBase64Encoded":false}`,
		"REST API":                     `{"statusCode":418,"multiValueHeaders":{"Content-Type":["text/html; charset=utf-8"],"Set-Cookie":["a=1","b=2"],"X-Two":["1","2"]},"body":"\u003cp\u003eshort \u0026 stout\u003c/p\u003e","isBase64Encoded":false}`,
		"load balancer":                `{"statusCode":418,"statusDescription":"418 I'm a teapot","multiValueHeaders":{"Content-Type":["text/html; charset=utf-8"],"Set-Cookie":["a=1","b=2"],"X-Two":["1","2"]},"body":"\u003cp\u003eshort \u0026 stout\u003c/p\u003e","isBase64Encoded":false}`,
		"load balancer, single values": `{"statusCode":418,"statusDescription":"418 I'm a teapot","headers":{"Content-Type":"text/html; charset=utf-8","Set-Cookie":"b=2","X-Two":"1,2"},"body":"\u003cp\u003eshort \u0026 stout\u003c/p\u003e","isBase64Encoded":false}`,
	} {
		response, err := lambdahttp.Wrap(handler)(t.Context(), json.RawMessage(requests[name]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBodies(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    lambdahttp.Response
	}{
		"none": {func(http.ResponseWriter, *http.Request) {}, lambdahttp.Response{StatusCode: 200, Headers: map[string]string{}}},
		"bytes": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0xd8, 0xff}) },
			lambdahttp.Response{StatusCode: 200, Headers: map[string]string{"Content-Type": "image/jpeg"}, Body: "/9j/", IsBase64Encoded: true}},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "text")
		}, lambdahttp.Response{StatusCode: 200, Headers: map[string]string{"Content-Encoding": "br"}, Body: "dGV4dA==", IsBase64Encoded: true}},
		"a type of its own": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "text")
		}, lambdahttp.Response{StatusCode: 200, Headers: map[string]string{"Content-Type": ""}, Body: "text"}},
	} {
		got, err := lambdahttp.Wrap(c.handler)(t.Context(), json.RawMessage(requests["function URL"]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestStreaming(t *testing.T) {
	const end = "\x00\x00\x00\x00\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"none":   {func(http.ResponseWriter, *http.Request) {}, `{"statusCode":200}` + end},
		"status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); w.WriteHeader(500) }, `{"statusCode":204}` + end},
		"all": {func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			for range 3 {
				_, _ = fmt.Fprintf(w, "%s ", r.Method)
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
			}
			_, _ = io.WriteString(w, strings.Repeat("x", 10000))
		}, `{"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"},"cookies":["a=1"]}` + end + "POST POST POST " + strings.Repeat("x", 10000)},
	} {
		got, err := lambda.NewHandler(lambdahttp.WrapStreaming(c.handler)).Invoke(t.Context(), []byte(requests["function URL"]))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %.200q, %v", name, got, err)
		}
	}
}

func TestNoRequest(t *testing.T) {
	for name, event := range map[string]string{
		"another event": `{"Records":[]}`, "no object": `[]`, "no base64": strings.Replace(requests["function URL"], "aGVsbG8=", "*", 1),
	} {
		if _, err := lambdahttp.Wrap(nil)(t.Context(), json.RawMessage(event)); err == nil {
			t.Errorf("%s was taken for a request", name)
		}
		if _, err := lambda.NewHandler(lambdahttp.WrapStreaming(nil)).Invoke(t.Context(), []byte(event)); err == nil {
			t.Errorf("%s was taken for a request to be streamed", name)
		}
	}
}

// TestPath has paths that come decoded, and those that come as they were sent,
// of which one is not escaped well.
func TestPath(t *testing.T) {
	for event, want := range map[string]string{
		`{"rawPath":"/100%25","requestContext":{"http":{"method":"GET"}}}`: "/100%25",
		`{"rawPath":"","requestContext":{"http":{"method":"GET"}}}`:        "/",
		`{"httpMethod":"GET","path":"/100%25"}`:                            "/100%",
		`{"httpMethod":"GET","path":"/100%"}`:                              "/100%",
		`{"httpMethod":"GET","path":""}`:                                   "/",
	} {
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path != want {
				t.Errorf("%s becomes %q, want %q", event, r.URL.Path, want)
			}
		})
		if _, err := lambdahttp.Wrap(handler)(t.Context(), json.RawMessage(event)); err != nil {
			t.Error(err)
		}
	}
}

// A mux answers an event of a function URL. In a function, main is
// lambdahttp.Start(mux).
func ExampleWrap() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!", r.PathValue("name"))
	})
	handler := lambda.NewHandler(lambdahttp.Wrap(mux))
	answer, err := handler.Invoke(context.Background(), []byte(
		`{"version":"2.0","rawPath":"/hello/Lamb","requestContext":{"http":{"method":"GET"}}}`))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(string(answer))
	// Output: {"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"},"body":"Hello, Lamb!","isBase64Encoded":false}
}

// Middleware sees the answer before its caller does.
func ExampleResponse() {
	inner := lambdahttp.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	outer := func(ctx context.Context, event json.RawMessage) (*lambdahttp.Response, error) {
		answer, err := inner(ctx, event)
		if err == nil && answer.StatusCode >= 400 {
			answer = &lambdahttp.Response{StatusCode: answer.StatusCode, Body: "sorry"}
		}
		return answer, err
	}
	answer, err := outer(context.Background(), []byte(`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.StatusCode, answer.Body)
	// Output: 418 sorry
}

// A request's context has the event it was made of.
func ExampleEventFromContext() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct {
			RequestContext struct {
				Authorizer struct{ PrincipalID string }
			}
		}
		raw, _ := lambdahttp.EventFromContext(r.Context())
		if err := json.Unmarshal(raw, &event); err != nil {
			fmt.Println(err)
		}
		fmt.Fprint(w, "you are ", event.RequestContext.Authorizer.PrincipalID)
	})
	answer, err := lambdahttp.Wrap(handler)(context.Background(), json.RawMessage(
		`{"httpMethod":"GET","path":"/","requestContext":{"authorizer":{"principalId":"lamb"}}}`))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(answer.Body)
	// Output: you are lamb
}

// The main function of a function with routes.
func ExampleStart() {
	http.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Hello!") })
	lambdahttp.Start(nil) // http.DefaultServeMux
}

// The same behind a function URL with InvokeMode RESPONSE_STREAM.
func ExampleStartStreaming() {
	lambdahttp.StartStreaming(http.FileServer(http.Dir("public")))
}

// What is flushed is with the caller at once.
func ExampleWrapStreaming() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 2 {
			fmt.Fprintf(w, "event %d\n", i)
			w.(http.Flusher).Flush()
		}
	})
	answer, err := lambda.NewHandler(lambdahttp.WrapStreaming(handler)).Invoke(context.Background(), []byte(
		`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}`))
	if err != nil {
		fmt.Println(err)
	}
	prelude, body, _ := strings.Cut(string(answer), "\x00\x00\x00\x00\x00\x00\x00\x00")
	fmt.Printf("%s\n%s", prelude, body)
	// Output:
	// {"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"}}
	// event 0
	// event 1
}
