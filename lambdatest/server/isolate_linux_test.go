package server_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/lambhq/lamb/lambdatest"
	"github.com/lambhq/lamb/lambdatest/server"
)

// TestIsolate: with Isolate functions do not see this machine's files, and meet
// their memory limit.
func TestIsolate(t *testing.T) {
	if err := lambdatest.CanIsolate(); err != nil {
		t.Skip(err)
	}
	lamb := server.New(t, server.Config{Isolate: true})
	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(lamb.URL()), Region: lamb.Region(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	if _, err := client.CreateFunction(t.Context(), &sdk.CreateFunctionInput{
		FunctionName: aws.String("greet"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Role: aws.String("arn:aws:iam::000000000000:role/any"), Code: &types.FunctionCode{ZipFile: whole(t)},
		Timeout: aws.Int32(30),
	}); err != nil {
		t.Fatal(err)
	}
	if err := sdk.NewFunctionActiveV2Waiter(client).Wait(t.Context(), &sdk.GetFunctionInput{FunctionName: aws.String("greet")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	invoke := func(event string) string {
		out, err := client.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("greet"), Payload: []byte(event)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Payload)
	}
	if got := invoke(`"Ada"`); got != `"hello Ada"` {
		t.Errorf("answer %s", got)
	}
	if got := invoke(`"memory"`); !strings.Contains(got, `"errorType":"Runtime.OutOfMemory"`) && !strings.Contains(got, "signal: killed") {
		t.Errorf("a gigabyte in 128 MB: %s", got)
	}
	if got := invoke(`"Ada"`); got != `"hello Ada"` {
		t.Errorf("afterwards: %s", got)
	}
}

// whole is a deployment package with the tests' binary in it, which the sandbox
// would not see elsewhere.
func whole(t *testing.T) []byte {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name string, r io.Reader) {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o755)
		f, err := w.CreateHeader(header)
		if err == nil {
			_, err = io.Copy(f, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("tests", self)
	add("bootstrap", strings.NewReader("#!/bin/sh\nexec /var/task/tests a-function\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
