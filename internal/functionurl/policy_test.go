package functionurl

import (
	"testing"

	"github.com/lambhq/lamb/internal/function"
)

// policies is a Catalog of one policy, or of none.
type policies struct{ policy *function.Policy }

func (p policies) URL(string) (*function.URL, bool) { return nil, false }

func (p policies) Policy(ref function.Ref) (*function.Policy, bool) {
	return p.policy, p.policy != nil && p.policy.Ref() == ref
}

func TestAllowed(t *testing.T) {
	key := function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"}
	both := func(principal, authType string) *function.Policy {
		return &function.Policy{Key: key, Statements: []function.Statement{
			{Action: "lambda:InvokeFunctionUrl", Principal: principal, FunctionURLAuthType: authType},
			{Action: "lambda:InvokeFunction", Principal: principal, InvokedViaFunctionURL: true},
		}}
	}
	half := both("*", "NONE")
	half.Statements = half.Statements[:1]
	ofAlias := both("*", "NONE")
	ofAlias.Qualifier = "live"
	own := &Caller{Account: "000000000000", ARN: "arn:aws:iam::000000000000:root"}
	other := &Caller{Account: "111122223333", ARN: "arn:aws:iam::111122223333:root"}
	for _, tt := range []struct {
		name     string
		authType string
		caller   *Caller
		policy   *function.Policy
		want     bool
	}{
		{"everyone", "NONE", nil, both("*", "NONE"), true},
		{"no policy", "NONE", nil, nil, false},
		{"one of two actions", "NONE", nil, half, false},
		{"another kind of URL", "NONE", nil, both("*", "AWS_IAM"), false},
		{"the policy of an alias", "NONE", nil, ofAlias, false},
		{"an account is not everyone", "NONE", nil, both("arn:aws:iam::111122223333:root", "NONE"), false},
		{"unsigned", "AWS_IAM", nil, both("*", "AWS_IAM"), false},
		{"the own account", "AWS_IAM", own, nil, true},
		{"another account", "AWS_IAM", other, nil, false},
		{"another account that may", "AWS_IAM", other, both("arn:aws:iam::111122223333:root", "AWS_IAM"), true},
		{"a third account", "AWS_IAM", other, both("arn:aws:iam::444455556666:root", "AWS_IAM"), false},
	} {
		h := New(Config{Catalog: policies{tt.policy}})
		c := Call{URL: &function.URL{Key: key, AuthType: tt.authType}, Caller: tt.caller}
		if got := h.allowed(c); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
