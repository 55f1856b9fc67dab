package server_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/lambhq/lamb/lambdatest"
	"github.com/lambhq/lamb/lambdatest/server"
)

// exampleT stands for the *testing.T that tests have and examples do not.
type exampleT struct{ lambdatest.TB }

func (t *exampleT) Helper()                        {}
func (t *exampleT) Context() context.Context       { return context.Background() }
func (t *exampleT) Cleanup(func())                 {} // the example closes what it has
func (t *exampleT) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }

func ExampleNew() {
	t := &exampleT{} // the test's *testing.T
	lamb := server.New(t, server.Config{Region: "eu-west-1"})
	defer lamb.Close() // a test's end does that

	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(lamb.URL()),
		Region:       lamb.Region(),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	functions, err := client.ListFunctions(t.Context(), &sdk.ListFunctionsInput{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(functions.Functions), "functions in", lamb.Region())
	// Output: 0 functions in eu-west-1
}
