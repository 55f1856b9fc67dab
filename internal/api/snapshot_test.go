package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The SDK's snapshots hold one request and one answer of each operation, with
// placeholders such as "__FunctionName__" for values. The three operations on
// resource policies, and the errors and members below, are newer than our
// model.
var (
	newerOperations = map[string]bool{
		"DeleteResourcePolicy": true, "GetResourcePolicy": true, "PutResourcePolicy": true,
	}
	newerErrors = map[string]bool{
		"AliasLimitExceededException": true, "ServiceQuotaExceededException": true, "ENINotReadyException": true,
		"CodeArtifactUserDeletedException": true, "CodeArtifactUserFailedException": true,
		"CodeArtifactUserPendingException": true, "ModeNotSupportedException": true, "PublicPolicyException": true,
		"SnapStartRegenerationFailureException": true,
	}
	newerMembers = map[string]bool{ // with the member that holds them, where the name alone is not new
		"PropagateTags": true, "TelemetryConfig": true, "S3ObjectStorageMode": true, "ConsumptionMode": true,
		"S3FilesConfig": true, "ResolvedS3Object": true, "ExecutionDataIncluded": true,
		"ChainedInvokeOptions.XAmznTraceId": true, "DurableConfig.KMSKeyArn": true, "Code.Error": true,
		"GetDurableExecution.DurableConfig": true, "DurableExecutions.KMSKeyArn": true,
	}
)

// snapshots returns the files of one folder of the SDK module: name without
// ending to content.
func snapshots(t *testing.T, folder, ending string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/lambda").Output()
	if err != nil {
		t.Skipf("the SDK's module cannot be found: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), folder, "*"+ending))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skipf("the SDK's module has no %s", folder)
	}
	files := make(map[string]string)
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(p), ending)] = string(text)
	}
	return files
}

// snapHeader reads "Name: value" lines.
func snapHeader(text string) http.Header {
	h := make(http.Header)
	for _, line := range strings.Split(text, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

func TestRequestSnapshots(t *testing.T) {
	rt := NewRouter(RouterConfig{SpoolDir: t.TempDir()})
	replayed := 0
	for name, text := range snapshots(t, "request_snapshot", ".request.snap") {
		if newerOperations[name] {
			t.Logf("%s is newer than the model: skipped", name)
			continue
		}
		replayed++
		t.Run(name, func(t *testing.T) {
			parts := strings.SplitN(text, "\n\n", 3)
			method, target, _ := strings.Cut(parts[0], " ")
			r := httptest.NewRequest(method, target, nil)
			r.Header = snapHeader(parts[1])
			body := ""
			if len(parts) == 3 {
				body = parts[2]
			}
			op, params, err := rt.Lookup(method, r.URL.EscapedPath(), r.URL.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			if op.Name != name {
				t.Fatalf("routed to %s", op.Name)
			}
			// The placeholders break constraints, so the request is not validated.
			in, err := op.decode(newRequest(r, params, BytesBody([]byte(body)), t.TempDir()))
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := in.(io.Closer); ok {
				defer c.Close()
			}
			checkBody(t, body, in)
			checkOutsideBody(t, r, in, body)
		})
	}
	if replayed != 84 { // InvokeWithResponseStream has no snapshot
		t.Errorf("%d requests were replayed, want 84", replayed)
	}
}

// checkBody compares the decoded JSON members with the body's.
func checkBody(t *testing.T, body string, in any) {
	t.Helper()
	v := reflect.ValueOf(in).Elem()
	if !strings.HasPrefix(body, "{") {
		return
	}
	got := in
	if f := v.FieldByName("Error"); f.IsValid() && f.Kind() == reflect.Pointer {
		got = f.Interface() // the body is this member
	}
	var want any
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	removeNewer(want, "")
	if diff := cmp.Diff(want, asJSON(t, got)); diff != "" {
		t.Errorf("decoded members (-sent +decoded):\n%s", diff)
	}
}

// asJSON converts by way of the json tags, and adds the uploads, which have none.
func asJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	addUploads(t, reflect.ValueOf(v).Elem(), m)
	return m
}

func addUploads(t *testing.T, v reflect.Value, m map[string]any) {
	t.Helper()
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		if u, ok := field.Interface().(*Upload); ok && u != nil {
			content, err := io.ReadAll(io.NewSectionReader(u, 0, u.Size()))
			if err != nil {
				t.Fatal(err)
			}
			m[name] = base64.StdEncoding.EncodeToString(content)
		} else if field.Kind() == reflect.Pointer && field.Elem().Kind() == reflect.Struct {
			if inner, ok := m[name].(map[string]any); ok {
				addUploads(t, field.Elem(), inner)
			}
		}
	}
}

// removeNewer deletes members that our model does not have.
func removeNewer(v any, holder string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if newerMembers[name] || newerMembers[holder+"."+name] {
				delete(v, name)
			} else {
				removeNewer(inner, name)
			}
		}
	case []any:
		for _, inner := range v {
			removeNewer(inner, holder)
		}
	}
}

// checkOutsideBody finds every member that is not in the JSON in the request:
// all of them are there, and the placeholder is the member's own.
func checkOutsideBody(t *testing.T, r *http.Request, in any, body string) {
	t.Helper()
	var sent []string
	for _, seg := range strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		text, err := url.PathUnescape(seg)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, text)
	}
	for _, values := range r.URL.Query() {
		sent = append(sent, values...)
	}
	for _, values := range r.Header {
		sent = append(sent, values...)
	}
	sent = append(sent, body)
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("json") != "-" || f.Type == reflect.TypeFor[*Upload]() || f.Type == reflect.TypeFor[*ErrorObject]() {
			continue
		}
		texts := fieldTexts(v.Field(i))
		if len(texts) == 0 {
			t.Errorf("%s is absent", f.Name)
		}
		for _, text := range texts {
			found := false
			for _, s := range sent {
				found = found || s == text
			}
			if !found {
				t.Errorf("%s is %q, which was not sent", f.Name, text)
			}
			if word := strings.Trim(text, "_"); word != text && word != f.Name && word != "Member" {
				t.Errorf("%s has the value of another member: %s", f.Name, text)
			}
		}
	}
}

func fieldTexts(v reflect.Value) []string {
	switch x := v.Interface().(type) {
	case []string:
		return x
	case []byte:
		return []string{string(x)}
	case *Time:
		return []string{x.Format("2006-01-02T15:04:05Z")}
	}
	if v.IsNil() {
		return nil
	}
	switch x := v.Elem().Interface().(type) {
	case string:
		return []string{x}
	case int:
		return []string{strconv.Itoa(x)}
	case int64:
		return []string{strconv.FormatInt(x, 10)}
	case bool:
		return []string{strconv.FormatBool(x)}
	}
	return nil
}

func TestResponseSnapshots(t *testing.T) {
	rt := NewRouter(RouterConfig{})
	svc := reflect.TypeFor[Service]()
	replayed := 0
	for name, text := range snapshots(t, "response_snapshot", ".response.snap") {
		if newerOperations[name] {
			t.Logf("%s is newer than the model: skipped", name)
			continue
		}
		replayed++
		t.Run(name, func(t *testing.T) {
			parts := strings.SplitN(text, "\n\n", 2)
			head, body := snapHeader(parts[0]), parts[1]
			op := rt.Operation(name)
			var out any
			if m, _ := svc.MethodByName(name); m.Type.NumOut() == 2 {
				out = outputOf(t, m.Type.Out(0).Elem(), head, body)
			}
			w := httptest.NewRecorder()
			if err := op.Encode(w, out); err != nil {
				t.Fatal(err)
			}
			head.Del("Content-Type") // the SDK's own: the service answers JSON
			for header := range head {
				if got, want := w.Header().Get(header), head.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			compareBodies(t, name, body, w)
		})
	}
	// InvokeWithResponseStream has no snapshot.
	if replayed != 84 {
		t.Errorf("%d answers were replayed, want 84", replayed)
	}
}

// outputOf fills an answer from its snapshot.
func outputOf(t *testing.T, typ reflect.Type, head http.Header, body string) any {
	t.Helper()
	out := reflect.New(typ)
	if strings.HasPrefix(body, "{") {
		if err := json.Unmarshal([]byte(body), out.Interface()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Tag.Get("json") != "-" {
			continue
		}
		switch dst := out.Elem().Field(i).Addr().Interface().(type) {
		case *[]byte:
			*dst = []byte(body)
		case **string:
			*dst = new("__" + f.Name + "__")
		case **int:
			*dst = new(http.StatusOK)
		default:
			t.Fatalf("%s.%s: unexpected type %s", typ.Name(), f.Name, f.Type)
		}
	}
	return out.Interface()
}

func compareBodies(t *testing.T, name, want string, w *httptest.ResponseRecorder) {
	t.Helper()
	got := w.Body.String()
	if !strings.HasPrefix(want, "{") {
		if want != got && !(want == "" && (got == "{}" || w.Code == http.StatusNoContent)) {
			t.Errorf("body %q, want %q", got, want)
		}
		return
	}
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatal(err)
	}
	removeNewer(a, name)
	// The SDK's writer repeats the HTTP status as a member; the service does not.
	if m, ok := a.(map[string]any); ok {
		for _, name := range []string{"StatusCode", "Status"} {
			if m[name] == float64(http.StatusOK) {
				delete(m, name)
			}
		}
		if len(m) == 0 && got == "" {
			return
		}
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(got))).Decode(&b); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("body (-snapshot +encoded):\n%s", diff)
	}
}

func TestErrorSnapshots(t *testing.T) {
	types := make(map[string]Error)
	for _, e := range errorTypes() {
		types[e.ErrorCode()] = e
	}
	replayed := 0
	for name, text := range snapshots(t, "response_snapshot", ".error.snap") {
		if newerErrors[name] {
			continue
		}
		e := types[name]
		if e == nil {
			t.Errorf("%s: no such error", name)
			continue
		}
		replayed++
		t.Run(name, func(t *testing.T) {
			head, body, _ := strings.Cut(text, "\n\n")
			var want map[string]any
			if err := json.Unmarshal([]byte(body), &want); err != nil {
				t.Fatal(err)
			}
			// The service names the type in a header only, and Type is User or Service.
			delete(want, "__type")
			delete(want, "Type")
			v := reflect.ValueOf(e).Elem()
			for i := range v.NumField() {
				if f := v.Field(i); f.Kind() == reflect.String {
					f.SetString("__" + v.Type().Field(i).Name + "__")
					if v.Type().Field(i).Name == "Reason" {
						f.SetString(ThrottleReasonConcurrentInvocationLimitExceeded)
					}
				}
			}
			w := httptest.NewRecorder()
			WriteError(w, "", e)
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if typ := got["Type"]; typ != "User" && typ != "Service" {
				t.Errorf("Type is %v", typ)
			}
			delete(got, "Type")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("body (-snapshot +written):\n%s", diff)
			}
			status, fields, _ := strings.Cut(head, "\n")
			if strconv.Itoa(w.Code) != status {
				t.Errorf("status %d, want %s", w.Code, status)
			}
			if w.Header().Get("x-amzn-ErrorType") != name {
				t.Errorf("x-amzn-ErrorType is %q", w.Header().Get("x-amzn-ErrorType"))
			}
			for header, values := range snapHeader(fields) {
				if got := w.Header()[textproto.CanonicalMIMEHeaderKey(header)]; !cmp.Equal(got, values) {
					t.Errorf("%s: %q, want %q", header, got, values)
				}
			}
		})
	}
	if replayed < 40 {
		t.Errorf("only %d errors were replayed", replayed)
	}
}
