package e2e

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// capacity has a function's environments serve so many invocations at once.
func capacity(atOnce int32) *types.CapacityProviderConfig {
	return &types.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: &types.LambdaManagedInstancesCapacityProviderConfig{
		CapacityProviderArn:                   aws.String("arn:aws:lambda:us-east-1:000000000000:capacity-provider:here"),
		PerExecutionEnvironmentMaxConcurrency: &atOnce,
	}}
}

// TestSeveralAtOnce: one environment serves several invocations at once where
// the function asks for it.
func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	c, name := l.client(), "several-at-once"
	created, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("together"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: ownFunction.zip(t)}, Timeout: aws.Int32(60), MemorySize: aws.Int32(2048),
		LoggingConfig:          &types.LoggingConfig{LogFormat: types.LogFormatJson},
		CapacityProviderConfig: capacity(8),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := created.CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig; aws.ToInt32(got.PerExecutionEnvironmentMaxConcurrency) != 8 {
		t.Errorf("created with %+v", got)
	}
	waitActive(t, c, name)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte("8")})
			if err != nil || string(out.Payload) != "8" {
				t.Errorf("invoke: %+v, %v", out, err)
			}
		})
	}
	all.Wait()
}
