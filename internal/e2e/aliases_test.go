package e2e

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// TestBoto3Aliases runs testdata/aliases.py.
func TestBoto3Aliases(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	runBoto3(t, "aliases.py", shell(t, "from boto3"))
}

// TestWeightedAlias: what a function sees of an alias with two versions, and
// that both answer about as often as the weight says.
func TestWeightedAlias(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	const name, calls = "weighted", 200
	c := l.client()
	l.create(t, fn{name: name, code: goFunction.zip(t), handler: "context"})
	if _, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
	_, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String(name), Description: aws.String("second")})
	if err != nil {
		t.Fatal(err)
	}
	waitUpdated(t, c, name)
	if _, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
	alias, err := c.CreateAlias(t.Context(), &lambda.CreateAliasInput{
		FunctionName: aws.String(name), Name: aws.String("live"), FunctionVersion: aws.String("1"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.25}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for i := range calls {
		in := &lambda.InvokeInput{FunctionName: aws.String(name), Qualifier: aws.String("live")}
		if i%2 == 1 {
			in = &lambda.InvokeInput{FunctionName: alias.AliasArn}
		}
		out, err := c.Invoke(t.Context(), in)
		if err != nil || out.FunctionError != nil {
			t.Fatalf("%v: %s", err, out.Payload)
		}
		var saw struct{ ARN, Version string }
		if err := json.Unmarshal(out.Payload, &saw); err != nil {
			t.Fatal(err)
		}
		if saw.ARN != *alias.AliasArn || saw.Version != *out.ExecutedVersion {
			t.Fatalf("the function saw %+v, the caller version %s", saw, *out.ExecutedVersion)
		}
		ran[saw.Version]++
	}
	// Five standard deviations of 200 throws at a quarter are 31.
	if ran["1"]+ran["2"] != calls || ran["2"] < 50-31 || ran["2"] > 50+31 {
		t.Errorf("versions that ran: %v, want about %d of version 2", ran, calls/4)
	}

	// A number is not given again, whatever was deleted.
	if _, err := c.DeleteAlias(t.Context(), &lambda.DeleteAliasInput{FunctionName: aws.String(name), Name: aws.String("live")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String(name), Qualifier: aws.String("2")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Qualifier: aws.String("live")})
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: "+*alias.AliasArn)
	again, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String(name)})
	if err != nil || *again.Version != "3" {
		t.Errorf("published after deleting 2: %v, %v", again, err)
	}
}
