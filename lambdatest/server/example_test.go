package server_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/lambhq/lamb/lambdatest/server"
)

func ExampleNew() {
	// func TestDeploy(t *testing.T)
	_ = func(t *testing.T) {
		lamb := server.New(t, server.Config{Region: "eu-west-1"})
		client := sdk.New(sdk.Options{
			BaseEndpoint: aws.String(lamb.URL()),
			Region:       lamb.Region(),
			Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		})
		functions, err := client.ListFunctions(t.Context(), &sdk.ListFunctionsInput{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(len(functions.Functions))
	}
}
