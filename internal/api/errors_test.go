package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestWriteError(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		code   string
		body   string
	}{
		{NewResourceNotFound("Function not found: %s", "f"), 404, "ResourceNotFoundException", `{"Type":"User","Message":"Function not found: f"}`},
		{NewInvalidParameterValue("no"), 400, "InvalidParameterValueException", `{"Type":"User","message":"no"}`},
		{NewResourceConflict("no"), 409, "ResourceConflictException", `{"Type":"User","message":"no"}`},
		{NewPreconditionFailed("no"), 412, "PreconditionFailedException", `{"Type":"User","message":"no"}`},
		{NewInvalidRequestContent("no"), 400, "InvalidRequestContentException", `{"Type":"User","message":"no"}`},
		{NewCodeSigningConfigNotFound("no"), 404, "CodeSigningConfigNotFoundException", `{"Type":"User","Message":"no"}`},
		{NewProvisionedConcurrencyConfigNotFound("no"), 404, "ProvisionedConcurrencyConfigNotFoundException", `{"Type":"User","message":"no"}`},
		{&InvalidParameterValueException{Message: "quota", Untyped: true}, 400, "InvalidParameterValueException", `{"message":"quota"}`},
		{NewValidation("1 validation error"), 400, "ValidationException", `{"message":"1 validation error"}`},
		{NewRequestEntityTooLarge("big"), 413, "RequestEntityTooLargeException", `{"message":"big"}`},
		{NewSerialization("a <b> & \"c\""), 400, "SerializationException", `{"message":"a <b> & \"c\""}`},
		{&AccessDeniedException{}, 403, "AccessDeniedException", `{"Message":null}`},
		{NewInvalidSignature("no"), 403, "InvalidSignatureException", `{"message":"no"}`},
		{NewMissingAuthenticationToken("no"), 403, "MissingAuthenticationTokenException", `{"message":"no"}`},
		{NewUnrecognizedClient("no"), 403, "UnrecognizedClientException", `{"message":"no"}`},
		{NewService("broken"), 500, "ServiceException", `{"Type":"Service","Message":"broken"}`},
		{NewResourceNotReady("wait"), 502, "ResourceNotReadyException", `{"Type":"Service","message":"wait"}`},
		{fmt.Errorf("invoke: %w", NewResourceNotFound("f")), 404, "ResourceNotFoundException", `{"Type":"User","Message":"f"}`},
		{errors.New("open /secret/path: permission denied"), 500, "ServiceException", `{"Type":"Service","Message":"An internal error occurred."}`},
		{Unimplemented{}.DeleteAlias(context.Background(), nil), 501, "NotImplementedException", `{"message":"lamb does not implement the operation DeleteAlias"}`},
		{&TooManyRequestsException{Message: "Rate Exceeded.", Reason: ThrottleReasonConcurrentInvocationLimitExceeded, RetryAfterSeconds: "1"}, 429,
			"TooManyRequestsException", `{"Type":"User","Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}`},
	} {
		w := httptest.NewRecorder()
		WriteError(w, "the-id", tc.err)
		h := w.Header()
		if w.Code != tc.status || w.Body.String() != tc.body || h.Get("x-amzn-ErrorType") != tc.code ||
			h.Get("Content-Type") != "application/json" || h.Get("x-amzn-RequestId") != "the-id" {
			t.Errorf("%v: %d %v %s, want %d %s %s", tc.err, w.Code, h, w.Body, tc.status, tc.code, tc.body)
		}
		if wantRetry := tc.status == 429; (h.Get("Retry-After") == "1") != wantRetry {
			t.Errorf("%v: Retry-After %q", tc.err, h.Get("Retry-After"))
		}
	}
}

// Every operation without implementation must say so, and name itself.
func TestUnimplementedNamesItself(t *testing.T) {
	svc := reflect.ValueOf(Unimplemented{})
	for _, op := range NewRouter(RouterConfig{}).Operations() {
		m := svc.MethodByName(op.Name)
		in := reflect.New(m.Type().In(1).Elem())
		w := httptest.NewRecorder()
		err := op.Serve(context.Background(), Unimplemented{}, in.Interface(), w)
		var e *NotImplementedException
		if !errors.As(err, &e) || !strings.Contains(e.Message, op.Name) || e.HTTPStatus() != 501 {
			t.Errorf("%s: %v", op.Name, err)
		}
		if w.Body.Len() > 0 {
			t.Errorf("%s: an answer was written: %s", op.Name, w.Body)
		}
	}
}

// missing returns neither an answer nor an error.
type missing struct{ Unimplemented }

func (missing) GetFunction(context.Context, *GetFunctionRequest) (*GetFunctionResponse, error) {
	return nil, nil
}

func TestEncode(t *testing.T) {
	rt := NewRouter(RouterConfig{})
	for _, tc := range []struct {
		name, op string
		out      any
		status   int
		kind     string // content type
		body     string
	}{
		{"declared order, nil left out", "CreateFunction", &FunctionConfiguration{
			Version: new("1"), FunctionName: new("a<b"), Layers: []Layer{}, Timeout: new(3)},
			201, "application/json", `{"FunctionName":"a<b","Timeout":3,"Version":"1","Layers":[]}`},
		{"empty map stays", "GetFunctionConfiguration", &FunctionConfiguration{
			Environment: &EnvironmentResponse{Variables: map[string]string{}}},
			200, "application/json", `{"Environment":{"Variables":{}}}`},
		{"nothing in the body", "DeleteFunction", &DeleteFunctionResponse{}, 204, "", ""},
		{"no output", "TagResource", nil, 204, "", ""},
		{"empty structure", "SendDurableExecutionCallbackHeartbeat", &SendDurableExecutionCallbackHeartbeatResponse{}, 200, "application/json", `{}`},
		{"payload", "Invoke", &InvocationResponse{Payload: []byte("null")}, 200, "application/json", "null"},
		{"accepted", "Invoke", &InvocationResponse{StatusCode: new(202)}, 202, "", ""},
		{"dry run", "Invoke", &InvocationResponse{StatusCode: new(204)}, 204, "", ""},
		{"times", "GetFunctionEventInvokeConfig", &FunctionEventInvokeConfig{LastModified: &Time{unixMilli(1700000000123)}},
			200, "application/json", `{"LastModified":1700000000.123}`},
		{"stream", "InvokeWithResponseStream", &InvokeWithResponseStreamResponse{
			EventStream: strings.NewReader("frames"), ResponseStreamContentType: new("application/vnd.amazon.eventstream")},
			200, "application/vnd.amazon.eventstream", "frames"},
	} {
		w := httptest.NewRecorder()
		if err := rt.Operation(tc.op).Encode(w, tc.out); err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("Content-Type") != tc.kind {
			t.Errorf("%s: %d %q %s, want %d %q %s", tc.name, w.Code, w.Header().Get("Content-Type"), w.Body, tc.status, tc.kind, tc.body)
		}
	}
	w := httptest.NewRecorder()
	if err := rt.Operation("GetFunction").Serve(context.Background(), missing{}, &GetFunctionRequest{}, w); err == nil {
		t.Error("an answer that is nil is a success")
	}
	if err := rt.Operation("Invoke").Encode(w, &InvocationResponse{StatusCode: new(7)}); err == nil {
		t.Error("status 7 is written")
	}
	if err := rt.Operation("Invoke").Encode(w, http.StatusOK); err == nil {
		t.Error("an int is written")
	}
}

func TestCaller(t *testing.T) {
	c := Caller{Partition: "aws", Account: "123456789012", Region: "us-east-1", RequestID: "id"}
	if got := CallerFrom(WithCaller(context.Background(), c)); got != c {
		t.Errorf("%+v, want %+v", got, c)
	}
	if got := CallerFrom(context.Background()); got != (Caller{}) {
		t.Errorf("no caller gives %+v", got)
	}
}
