package server_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
	"github.com/lambhq/lamb/lambdatest/server"
)

// TestMain lets the tests' binary be a function, too.
func TestMain(m *testing.M) {
	lambdatest.Supervise()
	if len(os.Args) > 1 && os.Args[1] == "a-function" {
		lambda.Start(greet)
	}
	os.Exit(m.Run())
}

// greet answers, and takes all the memory there is if it is asked to.
func greet(_ context.Context, name string) (string, error) {
	var all [][]byte
	for name == "memory" && len(all) < 1024 {
		page := make([]byte, 1<<20)
		for i := 0; i < len(page); i += 4096 {
			page[i] = 1
		}
		all = append(all, page)
	}
	return "hello " + name, nil
}

// archive is a deployment package whose bootstrap is the tests' binary.
func archive(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "bootstrap"}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = fmt.Fprintf(f, "#!/bin/sh\nexec '%s' a-function\n", self)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestServer(t *testing.T) {
	var log bytes.Buffer
	lamb := server.New(t, server.Config{Region: "eu-west-1", Account: "210987654321", Logs: &log})
	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(lamb.URL()), Region: lamb.Region(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	created, err := client.CreateFunction(t.Context(), &sdk.CreateFunctionInput{
		FunctionName: aws.String("greet"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Role: aws.String("arn:aws:iam::210987654321:role/any"), Code: &types.FunctionCode{ZipFile: archive(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(created.FunctionArn); got != "arn:aws:lambda:eu-west-1:210987654321:function:greet" {
		t.Errorf("ARN %s", got)
	}
	if err := sdk.NewFunctionActiveV2Waiter(client).Wait(t.Context(), &sdk.GetFunctionInput{FunctionName: aws.String("greet")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	out, err := client.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("greet"), Payload: []byte(`"Ada"`)})
	if err != nil || string(out.Payload) != `"hello Ada"` {
		t.Errorf("answer %+v, %v", out, err)
	}
	lamb.Close()
	if !strings.Contains(log.String(), "REPORT RequestId: ") {
		t.Errorf("log %q", log.String())
	}
}
