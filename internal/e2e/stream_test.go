package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// streamStep is a step of testdata/streamfunc.
type streamStep struct {
	Ask      string `json:"ask,omitempty"`
	Write    string `json:"write,omitempty"`
	Repeat   int    `json:"repeat,omitempty"`
	Bytewise bool   `json:"bytewise,omitempty"`
	Error    string `json:"error,omitempty"`
	Exit     *int   `json:"exit,omitempty"`
	Kill     bool   `json:"kill,omitempty"`
	Forever  bool   `json:"forever,omitempty"`
}

type streamScript struct {
	Steps []streamStep `json:"steps,omitempty"`
	Fail  string       `json:"fail,omitempty"`
}

func (s streamScript) json(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// streamFn makes a function of streamfunc.
func (l *lamb) streamFn(t testing.TB, name, handler string, change ...func(*fn)) string {
	t.Helper()
	f := fn{name: name, handler: handler, code: streamFunction.zip(t)}
	for _, c := range change {
		c(&f)
	}
	l.create(t, f)
	return name
}

// pace is a URL that functions ask before they go on.
type pace struct {
	URL   string
	asked chan struct{} // has a token for each that has asked
	goOn  chan struct{}
}

func newPace(t testing.TB, l *lamb) pace {
	t.Helper()
	p := pace{asked: make(chan struct{}, 1000), goOn: make(chan struct{})}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.asked <- struct{}{}
		select {
		case <-p.goOn:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	p.URL = l.inside(t, s.URL)
	return p
}

// next lets one function go on.
func (p pace) next() { p.goOn <- struct{}{} }

// beginStream calls InvokeWithResponseStream.
func (l *lamb) beginStream(t testing.TB, name string, payload []byte, with ...func(*lambda.InvokeWithResponseStreamInput)) (*lambda.InvokeWithResponseStreamOutput, *lambda.InvokeWithResponseStreamEventStream) {
	t.Helper()
	in := &lambda.InvokeWithResponseStreamInput{FunctionName: &name, Payload: payload}
	for _, f := range with {
		f(in)
	}
	out, err := l.client().InvokeWithResponseStream(t.Context(), in)
	if err != nil {
		t.Fatalf("stream of %s: %v", name, err)
	}
	stream := out.GetStream()
	t.Cleanup(func() { _ = stream.Close() })
	return out, stream
}

// streamed is what a whole stream gave.
type streamed struct {
	chunks   []string
	complete types.InvokeWithResponseStreamCompleteEvent
}

func (s streamed) text() string { return strings.Join(s.chunks, "") }

// readStream reads events to the end: chunks, and then exactly one that
// completes.
func readStream(t testing.TB, stream *lambda.InvokeWithResponseStreamEventStream) streamed {
	t.Helper()
	var s streamed
	completed := 0
	for e := range stream.Events() {
		switch e := e.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			if completed > 0 {
				t.Error("a chunk after InvokeComplete")
			}
			s.chunks = append(s.chunks, string(e.Value.Payload))
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			completed++
			s.complete = e.Value
		default:
			t.Errorf("an event of type %T", e)
		}
	}
	if err := stream.Err(); err != nil || completed != 1 {
		t.Errorf("the stream ended with %v and %d InvokeComplete", err, completed)
	}
	return s
}

// TestStreamLive: each chunk is with the caller before the function writes the
// next one.
func TestStreamLive(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	p := newPace(t, l)
	name := l.streamFn(t, "stream-live", "reader")
	words := []string{"one", "two", "three"}
	var script streamScript
	for _, w := range words {
		script.Steps = append(script.Steps, streamStep{Ask: p.URL, Write: w})
	}
	out, stream := l.beginStreamPaced(t, name, script.json(t), p)
	if out.StatusCode != 200 || aws.ToString(out.ExecutedVersion) != "$LATEST" || aws.ToString(out.ResponseStreamContentType) != "application/vnd.amazon.eventstream" {
		t.Errorf("status %d, version %q, content type %q", out.StatusCode, aws.ToString(out.ExecutedVersion), aws.ToString(out.ResponseStreamContentType))
	}
	for i, w := range words {
		if i > 0 {
			p.next()
		}
		chunk, ok := (<-stream.Events()).(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk)
		if !ok || string(chunk.Value.Payload) != w {
			t.Fatalf("event %+v, want %q", chunk, w)
		}
	}
	if rest := readStream(t, stream); rest.text() != "" || rest.complete.ErrorCode != nil || rest.complete.ErrorDetails != nil || rest.complete.LogResult != nil {
		t.Errorf("at the end %+v", rest)
	}
}

// beginStreamPaced is beginStream of a function that asks before its first
// chunk, without which the answer does not begin.
func (l *lamb) beginStreamPaced(t testing.TB, name string, payload []byte, p pace) (*lambda.InvokeWithResponseStreamOutput, *lambda.InvokeWithResponseStreamEventStream) {
	t.Helper()
	go func() {
		<-p.asked
		p.next()
	}()
	return l.beginStream(t, name, payload)
}

// TestStreamEnds: each way in which a stream can end has its code, and the
// function is of use afterwards.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	one := 1
	exits, killed := newPace(t, l), newPace(t, l)
	paces := map[string]pace{"exit": exits, "killed": killed}
	tests := []struct {
		name           string
		script         streamScript
		text           string
		code, contains string
	}{
		{"well", streamScript{Steps: []streamStep{{Write: "all"}}}, "all", "", ""},
		{"bytewise", streamScript{Steps: []streamStep{{Write: "0123456789", Repeat: 100, Bytewise: true}}}, strings.Repeat("0123456789", 100), "", ""},
		{"large-write", streamScript{Steps: []streamStep{{Write: "0123456789", Repeat: 800_000}}}, strings.Repeat("0123456789", 800_000), "", ""}, // of more than the burst
		{"like-an-error", streamScript{Steps: []streamStep{{Write: `{"errorType":"E","errorMessage":"m"}`}}}, `{"errorType":"E","errorMessage":"m"}`, "", ""},
		{"error-in-stream", streamScript{Steps: []streamStep{{Write: "some"}, {Error: "no more"}}}, "some", "errorString", `"errorMessage":"no more"`},
		{"error-before", streamScript{Fail: "nothing at all"}, "", "Unhandled", `"errorMessage":"nothing at all"`},
		{"timeout", streamScript{Steps: []streamStep{{Write: "some"}, {Forever: true}}}, "some", "Sandbox.Timedout", "Task timed out after 2.00 seconds"},
		{"timeout-before", streamScript{Steps: []streamStep{{Forever: true}}}, "", "Sandbox.Timedout", "Task timed out after 2.00 seconds"},
		{"exit", streamScript{Steps: []streamStep{{Write: "some"}, {Ask: exits.URL, Exit: &one}}}, "some", "Runtime.ExitError", "exit status 1"},
		{"killed", streamScript{Steps: []streamStep{{Write: "some"}, {Ask: killed.URL, Kill: true}}}, "some", "Runtime.ExitError", "signal: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name := l.streamFn(t, "stream-"+tt.name, "reader", func(f *fn) {
				if tt.code == "Sandbox.Timedout" {
					f.timeout = 2
				}
			})
			_, stream := l.beginStream(t, name, tt.script.json(t), func(in *lambda.InvokeWithResponseStreamInput) { in.LogType = types.LogTypeTail })
			var begin string
			if p, ok := paces[tt.name]; ok {
				chunk, ok := (<-stream.Events()).(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk)
				if !ok {
					t.Fatal("no chunk")
				}
				begin = string(chunk.Value.Payload)
				p.next() // what was written has left the process
			}
			got := readStream(t, stream)
			if text := begin + got.text(); text != tt.text {
				t.Errorf("text of %d bytes %.100q, want %d, %.100q", len(text), text, len(tt.text), tt.text)
			}
			if code := aws.ToString(got.complete.ErrorCode); code != tt.code {
				t.Errorf("error code %q, want %q", code, tt.code)
			}
			if details := aws.ToString(got.complete.ErrorDetails); !strings.Contains(details, tt.contains) || (details == "") != (tt.contains == "") {
				t.Errorf("error details %s", details)
			}
			hasLines(t, decodeBase64(t, aws.ToString(got.complete.LogResult)), "START RequestId: ", "REPORT RequestId: ")

			_, stream = l.beginStream(t, name, streamScript{Steps: []streamStep{{Write: "again"}}}.json(t))
			if got := readStream(t, stream); got.text() != "again" || got.complete.ErrorCode != nil {
				t.Errorf("afterwards %+v", got)
			}
		})
	}
}

// TestStreamRefused: before the stream begins, errors are the API's.
func TestStreamRefused(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	name := l.streamFn(t, "stream-refused", "reader")
	call := func(change func(*lambda.InvokeWithResponseStreamInput)) (*lambda.InvokeWithResponseStreamOutput, error) {
		in := &lambda.InvokeWithResponseStreamInput{FunctionName: &name, Payload: []byte("{}")}
		change(in)
		return l.client().InvokeWithResponseStream(t.Context(), in)
	}
	_, err := call(func(in *lambda.InvokeWithResponseStreamInput) { in.FunctionName = aws.String("stream-nobody") })
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:stream-nobody")
	_, err = call(func(in *lambda.InvokeWithResponseStreamInput) { in.Payload = []byte("{") })
	wantError(t, err, 400, "InvalidRequestContentException", "Could not parse request body into json")
	_, err = call(func(in *lambda.InvokeWithResponseStreamInput) { in.Qualifier = aws.String("7") })
	wantError(t, err, 404, "ResourceNotFoundException", ":stream-refused:7")
	out, err := call(func(in *lambda.InvokeWithResponseStreamInput) {
		in.InvocationType = types.ResponseStreamingInvocationTypeDryRun
	})
	if err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %+v, %v", out, err)
	}
}

// TestStreamOfOthers: functions that do not stream can be called so, and one
// that does can be called without.
func TestStreamOfOthers(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	big := l.goFn(t, "stream-of-big", "big", func(f *fn) { f.memory = 512 })
	_, stream := l.beginStream(t, big, []byte("8388608")) // more than Invoke takes
	if got := readStream(t, stream); len(got.text()) != 8<<20 || got.complete.ErrorCode != nil {
		t.Errorf("%d bytes, %+v", len(got.text()), got.complete)
	}
	reader := l.streamFn(t, "stream-buffered", "reader")
	if got := l.invoke(t, reader, string(streamScript{Steps: []streamStep{{Write: "a"}, {Write: "b"}}}.json(t))).succeeded(t); got != "ab" {
		t.Errorf("Invoke gave %q", got)
	}
	failed := l.invoke(t, reader, string(streamScript{Steps: []streamStep{{Write: "a"}, {Error: "late"}}}.json(t)))
	if e := failed.failed(t); e.Message != "late" || e.Type != "errorString" {
		t.Errorf("error in the stream of Invoke: %+v", e)
	}
}

// TestStreamLimit: 201 MB are 200 and an error, at full speed.
func TestStreamLimit(t *testing.T) {
	t.Parallel()
	l := startLamb(t, "--stream-rate", "0")
	name := l.streamFn(t, "stream-limit", "reader", func(f *fn) { f.memory = 2048 })
	script := streamScript{Steps: slices.Repeat([]streamStep{{Write: "x", Repeat: 1 << 20}}, 201)}
	_, stream := l.beginStream(t, name, script.json(t))
	bytes, code := 0, ""
	for e := range stream.Events() {
		switch e := e.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			bytes += len(e.Value.Payload)
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			code = aws.ToString(e.Value.ErrorCode)
		}
	}
	if bytes != 200<<20 || code != "Function.ResponseSizeTooLarge" || stream.Err() != nil {
		t.Errorf("%d bytes, %q, %v", bytes, code, stream.Err())
	}
	_, stream = l.beginStream(t, name, streamScript{Steps: []streamStep{{Write: "again"}}}.json(t))
	if got := readStream(t, stream); got.text() != "again" {
		t.Errorf("afterwards %+v", got)
	}
}

// TestStreamLeave: callers who go away, at each stage. The function comes to
// its end as if they were there.
func TestStreamLeave(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	// More than lies between the function and the caller in each step.
	const much = 1 << 20
	tests := []struct {
		name  string
		leave func(t *testing.T, name string, script []byte, p pace)
	}{
		{"before-first-byte", func(t *testing.T, name string, script []byte, p pace) {
			ctx, cancel := context.WithCancel(t.Context())
			gone := make(chan error)
			go func() {
				_, err := l.client().InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{FunctionName: &name, Payload: script})
				gone <- err
			}()
			<-p.asked
			cancel()
			if err := <-gone; !errors.Is(err, context.Canceled) {
				t.Errorf("the call ended with %v", err)
			}
			p.next()
			<-p.asked
			p.next()
		}},
		{"in-stream", func(t *testing.T, name string, script []byte, p pace) {
			_, stream := l.beginStreamPaced(t, name, script, p)
			<-stream.Events()
			_ = stream.Close()
			<-p.asked
			p.next()
		}},
		{"before-end", func(t *testing.T, name string, script []byte, p pace) {
			_, stream := l.beginStreamPaced(t, name, script, p)
			for n := 0; n < much; {
				chunk, ok := (<-stream.Events()).(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk)
				if !ok {
					t.Fatal("no chunk")
				}
				n += len(chunk.Value.Payload)
			}
			<-p.asked
			p.next()
			_ = stream.Close()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPace(t, l)
			name := l.streamFn(t, "stream-leave-"+tt.name, "reader")
			tt.leave(t, name, streamScript{Steps: []streamStep{
				{Ask: p.URL, Write: "x", Repeat: much}, {Ask: p.URL, Write: "y", Repeat: much}, {Ask: p.URL, Write: "z"},
			}}.json(t), p)
			<-p.asked
			p.next()
			stop := make(chan struct{})
			timer := time.AfterFunc(patience, func() { close(stop) })
			defer timer.Stop()
			if report := l.stdout.line("["+name+"] REPORT RequestId: ", stop); report == "" || strings.Contains(report, "Status") {
				t.Errorf("the invocation ended with %q", report)
			}
		})
	}
}
