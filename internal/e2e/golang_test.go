package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"
)

func requestID(out *lambda.InvokeOutput) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	return id
}

func decodeBase64(t testing.TB, s string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// goFn makes a function of gofunc with a handler.
func (l *lamb) goFn(t testing.TB, name, handler string, change ...func(*fn)) string {
	t.Helper()
	f := fn{name: name, handler: handler, code: goFunction.zip(t)}
	for _, c := range change {
		c(&f)
	}
	l.create(t, f)
	return f.name
}

func TestGoHandlers(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	for _, tt := range []struct{ handler, payload, want string }{
		{"typed", `{"item":"ink","count":4}`, `{"text":"sold ink","total":12}`},
		{"nothing", `{}`, `null`},
		{"nothing", ``, `null`},
		{"reader", `{"streamed": [1, 2,  3]}`, `{"streamed": [1, 2,  3]}`},
		{"echo", `{"größe":"\ud83d\udc11","n":1e400}`, `{"größe":"\ud83d\udc11","n":1e400}`},
		{"echo", ``, `{}`},
	} {
		t.Run(tt.handler+tt.payload, func(t *testing.T) {
			t.Parallel()
			name := l.goFn(t, "go-"+tt.handler+fmt.Sprint(len(tt.payload)), tt.handler)
			got := l.invoke(t, name, tt.payload)
			if p := got.succeeded(t); p != tt.want {
				t.Errorf("payload %s, want %s", p, tt.want)
			}
			if v := aws.ToString(got.ExecutedVersion); v != "$LATEST" || got.StatusCode != 200 {
				t.Errorf("executed version %q, status %d", v, got.StatusCode)
			}
			if got.LogResult != nil {
				t.Errorf("log result without LogType Tail: %q", got.Log)
			}
		})
	}
}

func TestGoErrors(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	t.Run("returned", func(t *testing.T) {
		t.Parallel()
		got := l.invoke(t, l.goFn(t, "go-fail", "fail"), `{}`, withTail)
		if diff := cmp.Diff(`{"errorMessage":"the stock is empty","errorType":"businessError"}`, string(got.Payload)); diff != "" {
			t.Error(diff)
		}
		got.failed(t)
		hasLines(t, got.Log, "START RequestId: "+requestID(got.InvokeOutput), "END RequestId: ", "REPORT RequestId: ")
	})
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		// aws-lambda-go reports a panic and ends its process.
		name := l.goFn(t, "go-panic", "panic")
		got := l.invoke(t, name, `{}`)
		if e := got.failed(t); e.Message != "deliberate" || e.Type != "string" || len(e.StackTrace) == 0 {
			t.Errorf("error %+v", e)
		}
		if e := l.invoke(t, name, `{}`).failed(t); e.Message != "deliberate" {
			t.Errorf("second error %+v", e)
		}
	})
}

func TestGoContext(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	name := l.goFn(t, "go-context", "context", func(f *fn) { f.timeout, f.memory = 7, 256 })
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:go-context"
	type described struct {
		RequestID, ARN, Name, Version, Group, Stream, Trace string
		Client                                              map[string]any
		LeftMs, Memory                                      int
	}
	published, err := l.client().PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if v := aws.ToString(published.Version); v != "1" {
		t.Fatalf("published version %q", v)
	}
	clientContext := `{"custom":{"color":"blue"},"client":{"app_title":"e2e"},"env":{"os":"any"}}`
	for _, tt := range []struct{ function, qualifier, arn, version string }{
		{name, "", arn, "$LATEST"},
		{name, "$LATEST", arn + ":$LATEST", "$LATEST"},
		{name, "1", arn + ":1", "1"},
		{name + ":1", "", arn + ":1", "1"},
		{"000000000000:function:" + name, "", arn, "$LATEST"},
		{arn + ":1", "1", arn + ":1", "1"},
	} {
		t.Run(tt.function+"/"+tt.qualifier, func(t *testing.T) {
			got := l.invoke(t, tt.function, `{}`, func(in *lambda.InvokeInput) {
				if tt.qualifier != "" {
					in.Qualifier = &tt.qualifier
				}
				in.ClientContext = aws.String(base64.StdEncoding.EncodeToString([]byte(clientContext)))
			})
			var d described
			got.into(t, &d)
			if d.ARN != tt.arn || d.Version != tt.version || aws.ToString(got.ExecutedVersion) != tt.version {
				t.Errorf("ARN %s, version %s, executed version %s; want %s and %s", d.ARN, d.Version, aws.ToString(got.ExecutedVersion), tt.arn, tt.version)
			}
			if d.RequestID == "" || d.RequestID != requestID(got.InvokeOutput) {
				t.Errorf("the function sees request %q, the caller %q", d.RequestID, requestID(got.InvokeOutput))
			}
			if d.Name != name || d.Memory != 256 || d.Group != "/aws/lambda/"+name {
				t.Errorf("name %q, memory %d, log group %q", d.Name, d.Memory, d.Group)
			}
			if !regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[` + regexp.QuoteMeta(tt.version) + `\][0-9a-f]{32}$`).MatchString(d.Stream) {
				t.Errorf("log stream %q", d.Stream)
			}
			if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};`).MatchString(d.Trace) {
				t.Errorf("trace header %q", d.Trace)
			}
			if d.LeftMs <= 3000 || d.LeftMs > 7000 {
				t.Errorf("%d ms left at the start of 7 s", d.LeftMs)
			}
			// aws-lambda-go has the client member in Go's names.
			custom, _ := d.Client["custom"].(map[string]any)
			if custom["color"] != "blue" {
				t.Errorf("client context %v", d.Client)
			}
		})
	}
}

func TestGoEnvironment(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	const value = "value with spaces, = and $HOME that nobody expands"
	name := l.goFn(t, "go-env", "env", func(f *fn) {
		f.env = map[string]string{"OWN": value, "LANG": "tlh", "PASSWORD": "sesame-in-the-environment"}
	})
	var env map[string]string
	l.invoke(t, name, `{}`).into(t, &env)
	sharedLamb.secret("a function's variable", "sesame-in-the-environment")
	sharedLamb.secret("a minted secret key", env["AWS_SECRET_ACCESS_KEY"])
	sharedLamb.secret("a session token", env["AWS_SESSION_TOKEN"])
	for k, want := range map[string]string{
		"OWN": value, "LANG": "tlh", "TZ": ":UTC", "_HANDLER": "env",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
		"AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + name,
		"AWS_ENDPOINT_URL_LAMBDA":   l.lambdaURL(t),
	} {
		if env[k] != want {
			t.Errorf("%s is %q, want %q", k, env[k], want)
		}
	}
	for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME", "PATH"} {
		if env[k] == "" {
			t.Errorf("%s is not set", k)
		}
	}
	// Nothing of lamb's own is inherited, and what is absent on AWS is absent.
	ofLambName, _, _ := strings.Cut(ofLamb, "=")
	for _, k := range []string{ofLambName, "HOME", "AWS_EXECUTION_ENV", "AWS_ENDPOINT_URL"} {
		if v, is := env[k]; is {
			t.Errorf("%s is set, to %q", k, v)
		}
	}
	folder, root := env["(working folder)"], env["LAMBDA_TASK_ROOT"]
	if l.isolated() && (folder != "/var/task" || root != folder) || !l.isolated() && !samePath(t, folder, root) {
		t.Errorf("the working folder is %s, LAMBDA_TASK_ROOT %s", folder, root)
	}
}

func samePath(t testing.TB, a, b string) bool {
	t.Helper()
	a, err := filepath.EvalSymlinks(a)
	if err != nil {
		t.Fatal(err)
	}
	b, err = filepath.EvalSymlinks(b)
	if err != nil {
		t.Fatal(err)
	}
	return a == b
}

// TestReset ends the process in every way and shows that the next invocation
// finds a new process in the same environment: /tmp is kept.
func TestReset(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	for _, tt := range []struct{ name, event, errorType, message, status string }{
		{"timeout", `"sleepMs":60000`, "Sandbox.Timedout", "Task timed out after 3.00 seconds", "\tStatus: timeout\n"},
		{"exit-0", `"exit":0`, "Runtime.ExitError", "Runtime exited without providing a reason", "\tStatus: error\tError Type: Runtime.ExitError\n"},
		{"exit-127", `"exit":127`, "Runtime.ExitError", "Runtime exited with error: exit status 127", "\tStatus: error\tError Type: Runtime.ExitError\n"},
		{"kill", `"kill":true`, "Runtime.ExitError", "Runtime exited with error: signal: killed", "\tStatus: error\tError Type: Runtime.ExitError\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name := l.goFn(t, "go-act-"+tt.name, "act", func(f *fn) {
				if tt.name == "timeout" {
					f.timeout = 3
				}
			})
			type state struct {
				place
				Events int
				Kept   string
			}
			var before, after state
			l.invoke(t, name, `{"write":"by the first event"}`, withTail).into(t, &before) // and the environment is free again
			old := l.find(t, before.place)

			bad := l.invoke(t, name, `{`+tt.event+`}`, withTail)
			bad.failure(t, tt.errorType, tt.message)
			id := requestID(bad.InvokeOutput)
			hasLines(t, bad.Log, "START RequestId: "+id+" Version: $LATEST\n", "END RequestId: "+id+"\n", "REPORT RequestId: "+id+"\tDuration: ", tt.status)
			if tt.name == "timeout" {
				hasLines(t, bad.Log, "\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: ")
			}

			l.invoke(t, name, `{}`).into(t, &after)
			if before.PID == after.PID || after.Events != 1 || before.Stream != after.Stream {
				t.Errorf("before %+v, after %+v: want a new process in the same environment", before, after)
			}
			if after.Kept != "by the first event" {
				t.Errorf("/tmp was lost: %+v", after)
			}
			mustEnd(t, old)
			l.find(t, after.place)
		})
	}
}

func TestInitFailure(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	inGo := func(mode string) fn {
		return fn{code: goFunction.zip(t), handler: "echo", env: map[string]string{"INIT": mode}}
	}
	for _, tt := range []struct {
		name               string
		f                  fn
		errorType, message string
	}{
		{"exit", inGo("exit"), "Runtime.ExitError", "Runtime exited with error: exit status 7"},
		{"panic", inGo("panic"), "Runtime.ExitError", "Runtime exited with error: exit status 2"},
		{
			"no-bootstrap", fn{code: zipOf(t, file{"readme", 0o644, "no bootstrap here"}), handler: "x"},
			"Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.f.name = "init-" + tt.name
			l.create(t, tt.f)
			for range 2 { // it fails anew each time
				l.invoke(t, tt.f.name, `{}`, withTail).failure(t, tt.errorType, tt.message)
			}
		})
	}
	t.Run("reported", func(t *testing.T) {
		t.Parallel()
		l.create(t, fn{name: "init-refuse", handler: "refuse", code: rawFunction.zip(t)})
		got := l.invoke(t, "init-refuse", `{}`)
		got.failed(t)
		if p := string(got.Payload); p != `{"errorType":"Custom.Refused","errorMessage":"not today"}` {
			t.Errorf("payload %s, want the runtime's own", p)
		}
	})
	t.Run("repaired", func(t *testing.T) {
		t.Parallel()
		f := inGo("exit")
		f.name = "init-repaired"
		l.create(t, f)
		l.invoke(t, f.name, `{}`).failed(t)
		c := l.client()
		if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &f.name, Environment: environment(map[string]string{"INIT": "well"}),
		}); err != nil {
			t.Fatal(err)
		}
		waitUpdated(t, c, f.name)
		if p := l.invoke(t, f.name, `[1]`).succeeded(t); p != `[1]` {
			t.Errorf("payload %s", p)
		}
	})
}

// TestSizes sends and returns payloads at the limits.
func TestSizes(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	const request, response = 6291456, 6291556
	echo := l.goFn(t, "go-size-echo", "echo", func(f *fn) { f.memory = 512 })
	big := l.goFn(t, "go-size-big", "big", func(f *fn) { f.memory = 512 })

	payload := `"` + strings.Repeat("lamb", request/4)[:request-2] + `"`
	if got := l.invoke(t, echo, payload).succeeded(t); got != payload {
		t.Errorf("6 MB came back as %d bytes, or changed", len(got))
	}
	_, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &echo, Payload: []byte(payload + " ")})
	wantError(t, err, 413, "RequestTooLargeException", "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)")

	if got := l.invoke(t, big, fmt.Sprint(response)).succeeded(t); len(got) != response {
		t.Errorf("response of %d bytes, want %d", len(got), response)
	}
	for _, n := range []int{response + 1, 20 << 20} {
		tooLarge := l.invoke(t, big, fmt.Sprint(n))
		if e := tooLarge.failed(t); e.Type != "Function.ResponseSizeTooLarge" || e.Message != "Response payload size exceeded maximum allowed payload size (6291556 bytes)." {
			t.Errorf("error %+v for %d bytes", e, n)
		}
	}
	if got := l.invoke(t, big, `10`).succeeded(t); got != `"xxxxxxxx"` {
		t.Errorf("after a response that was too large: %s", got)
	}
}

// TestLog reads the log tail of a cold and a warm invocation.
func TestLog(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	name := l.goFn(t, "go-log", "print", func(f *fn) { f.memory = 256 })
	report := regexp.MustCompile(`^START RequestId: (\S+) Version: \$LATEST\n` +
		`one\ntwo\n` +
		`END RequestId: (\S+)\n` +
		`REPORT RequestId: (\S+)\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: [1-9]\d* MB\t(Init Duration: \d+\.\d\d ms\t)?\n$`)
	for i, cold := range []bool{true, false} {
		got := l.invoke(t, name, `["one","two"]`, withTail)
		m := report.FindStringSubmatch(got.Log)
		if m == nil {
			t.Fatalf("log of invocation %d:\n%q", i, got.Log)
		}
		if id := requestID(got.InvokeOutput); m[1] != id || m[2] != id || m[3] != id {
			t.Errorf("request %s in the log of %s", m[1:4], id)
		}
		if (m[4] != "") != cold {
			t.Errorf("invocation %d: init duration %q", i, m[4])
		}
	}
	lines, err := json.Marshal(strings.Split(strings.Repeat("a line of the log\n", 1000), "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.invoke(t, name, string(lines), withTail); len(got.Log) != 4096 || !strings.Contains(got.Log, "REPORT RequestId: ") {
		t.Errorf("tail of a long log: %d bytes, want the last 4096", len(got.Log))
	}
	// What the functions write is also on lamb's own output.
	if err := l.says(name, "one", "two", "REPORT"); err != nil {
		t.Error(err)
	}
}

// TestAnswerBeforeNext has a runtime that answers and then takes its time: the
// caller has the answer, but one who wants the log waits for REPORT.
func TestAnswerBeforeNext(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	h := newHook(t, l)
	l.create(t, fn{name: "linger", handler: "linger", code: rawFunction.zip(t), env: map[string]string{"HOOK": h.URL}})
	if got := l.invoke(t, "linger", `{}`).succeeded(t); got != `"answered"` {
		t.Errorf("payload %s", got)
	}
	h.await(t, 1) // and there it stays: the answer did not wait for it

	tail := make(chan answer, 1)
	go func() { tail <- l.invoke(t, "linger", `{}`, withTail) }()
	h.await(t, 1) // a second environment has posted its response
	select {
	case <-tail:
		t.Error("a caller who wants the log was answered before REPORT")
	default:
	}
	h.letGo()
	got := <-tail
	hasLines(t, got.Log, "START RequestId: ", "working\n", "answered, but not done\n", "END RequestId: ", "REPORT RequestId: ")
	if p := got.succeeded(t); p != `"answered"` {
		t.Errorf("payload %s", p)
	}
}
