package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// published is an extension that others have published, in a registry that
// builds may use: a layer's zip in a package of npm. It was made for functions
// on AWS, registers, subscribes to the Logs API, and reports to a server.
const published = "@serverless/aws-lambda-otel-extension-dist@0.1.11"

// publishedLayer gets the layer from the registry, or skips the test.
func publishedLayer(t *testing.T) []byte {
	t.Helper()
	npm := need(t, "npm")
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--prefer-offline", published)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("npm does not get %s: %v\n%s", published, err, out)
	}
	packs, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("npm has left %q: %v", packs, err)
	}
	b, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	zip, err := fromPackage(b, "package/extension.zip")
	if err != nil {
		t.Fatal(err)
	}
	return zip
}

// fromPackage is one file of a package.
func fromPackage(pack []byte, name string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(pack))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, errors.Join(errors.New(name+" is not in the package"), err)
		}
		if h.Name == name {
			return io.ReadAll(r)
		}
	}
}

// TestPublishedExtension runs it as it is: its external part beside a function
// that its wrapper loads, and looks at what it reports of the invocations.
func TestPublishedExtension(t *testing.T) {
	if here.user != nil {
		t.Skip("once is enough: it asks the registry")
	}
	t.Parallel()
	needInside(t, "node")
	l := startLamb(t)
	if !l.isolated() {
		t.Skip("the extension has its files in /opt and its port on the loopback")
	}
	layer := publishedLayer(t)
	reports := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // what is missing is not found
		reports <- r.URL.Path + " " + string(b)
	}))
	t.Cleanup(server.Close)
	url := l.inside(t, server.URL)
	name := "published"
	l.create(t, fn{
		name: name, runtime: "nodejs20.x", handler: "app.handler", memory: 512,
		code:   zipOf(t, file{"app.js", 0o644, "exports.handler = async (event) => event;\n"}),
		layers: []string{l.publishLayer(t, "otel", layer)},
		env: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-extension/otel-handler",
			"SLS_OTEL_REPORT_METRICS_URL": url + "/metrics", "SLS_OTEL_REPORT_TRACES_URL": url + "/traces"},
	})
	got := l.invoke(t, name, `"seen"`, withTail)
	if p := got.succeeded(t); p != `"seen"` {
		t.Errorf("payload %s", p)
	}
	if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{"/metrics": true, "/traces": true}
	var all []string
	timeout := time.After(patience)
	for len(missing) > 0 {
		select {
		case report := <-reports:
			all = append(all, report)
			if strings.Contains(report, requestID(got.InvokeOutput)) {
				path, _, _ := strings.Cut(report, " ")
				delete(missing, path)
			}
		case <-timeout:
			t.Fatalf("there is no report of %v in %.3000q\n%s", missing, all, strings.Join(l.logOf(name), "\n"))
		}
	}
	if err := l.says(name, "LOGS\tName: otel-extension\tState: Subscribed\tTypes: [Platform]", "EXTENSION\tName: otel-extension\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"); err != nil {
		t.Error(err)
	}
}
