package auth

import (
	"path"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/function"
)

func TestPermits(t *testing.T) {
	const invoke = ActionInvokeFunction
	topic := function.Statement{Action: invoke, Principal: "sns.amazonaws.com", SourceARN: "arn:aws:sns:*:111122223333:orders-*"}
	service := Call{Action: invoke, Service: "sns.amazonaws.com", SourceARN: "arn:aws:sns:us-east-1:111122223333:orders-eu", SourceAccount: "111122223333"}
	with := func(c Call, change func(*Call)) Call {
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name      string
		statement function.Statement
		call      Call
		want      bool
	}{
		{"anybody", function.Statement{Action: invoke, Principal: "*"}, Call{Action: invoke}, true},
		{"another action", function.Statement{Action: "lambda:GetFunction", Principal: "*"}, Call{Action: invoke}, false},
		{"every action of lambda", function.Statement{Action: "lambda:*", Principal: "*"}, Call{Action: invoke}, true},
		{"every action", function.Statement{Action: "*", Principal: "*"}, Call{Action: invoke}, true},
		{"case of actions", function.Statement{Action: "lambda:invokefunction", Principal: "*"}, Call{Action: invoke}, true},

		{"service", topic, service, true},
		{"another service", topic, with(service, func(c *Call) { c.Service = "s3.amazonaws.com" }), false},
		{"another source", topic, with(service, func(c *Call) { c.SourceARN = "arn:aws:sns:us-east-1:111122223333:bills" }), false},
		{"a wildcard does not pass a colon", function.Statement{Action: invoke, Principal: "*", SourceARN: "arn:aws:sns:*:orders"},
			with(service, func(c *Call) { c.SourceARN = "arn:aws:sns:us-east-1:111122223333:orders" }), false},
		{"no source", topic, with(service, func(c *Call) { c.SourceARN = "" }), false},
		{"source account", function.Statement{Action: invoke, Principal: "*", SourceAccount: "111122223333"}, service, true},
		{"another source account", function.Statement{Action: invoke, Principal: "*", SourceAccount: "444455556666"}, service, false},
		{"token", function.Statement{Action: invoke, Principal: "*", EventSourceToken: "t"}, Call{Action: invoke, EventSourceToken: "t"}, true},
		{"no token", function.Statement{Action: invoke, Principal: "*", EventSourceToken: "t"}, Call{Action: invoke}, false},
		{"organization", function.Statement{Action: invoke, Principal: "*", PrincipalOrgID: "o-1"}, Call{Action: invoke, PrincipalOrgID: "o-1"}, true},
		{"another organization", function.Statement{Action: invoke, Principal: "*", PrincipalOrgID: "o-1"}, Call{Action: invoke, PrincipalOrgID: "o-2"}, false},
		{"by URL only", function.Statement{Action: invoke, Principal: "*", InvokedViaFunctionURL: true}, Call{Action: invoke}, false},

		{"account", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:root"},
			Call{Action: invoke, Account: "111122223333", Principal: "arn:aws:iam::111122223333:user/u"}, true},
		{"another account", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:root"},
			Call{Action: invoke, Account: "444455556666", Principal: "arn:aws:iam::444455556666:user/u"}, false},
		{"an account is not anybody", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:root"}, Call{Action: invoke}, false},
		{"user", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:user/u"},
			Call{Action: invoke, Account: "111122223333", Principal: "arn:aws:iam::111122223333:user/u"}, true},
		{"another user", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:user/u"},
			Call{Action: invoke, Account: "111122223333", Principal: "arn:aws:iam::111122223333:user/v"}, false},
		{"session of a role", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:role/path/r"},
			Call{Action: invoke, Account: "111122223333", Principal: "arn:aws:sts::111122223333:assumed-role/r/s"}, true},
		{"session of another role", function.Statement{Action: invoke, Principal: "arn:aws:iam::111122223333:role/r"},
			Call{Action: invoke, Account: "111122223333", Principal: "arn:aws:sts::111122223333:assumed-role/r2/s"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Permits([]function.Statement{{Action: "lambda:GetPolicy", Principal: "*"}, tt.statement}, tt.call); got != tt.want {
				t.Errorf("Permits = %v, want %v", got, tt.want)
			}
		})
	}
	if Permits(nil, Call{Action: invoke}) {
		t.Error("no policy permits a call")
	}
}

func TestPermitsURL(t *testing.T) {
	a := function.Statement{Action: "lambda:InvokeFunctionUrl", Principal: "*", FunctionURLAuthType: "NONE"}
	b := function.Statement{Action: "lambda:InvokeFunction", Principal: "*", InvokedViaFunctionURL: true}
	none := Call{FunctionURLAuthType: "NONE"}
	for _, tt := range []struct {
		name       string
		statements []function.Statement
		call       Call
		want       bool
	}{
		{"both", []function.Statement{a, b}, none, true},
		{"only the URL", []function.Statement{a}, none, false},
		{"only the function", []function.Statement{b}, none, false},
		{"another kind of URL", []function.Statement{a, b}, Call{FunctionURLAuthType: "AWS_IAM"}, false},
		{"everything", []function.Statement{{Action: "lambda:*", Principal: "*"}}, none, true},
	} {
		if got := PermitsURL(tt.statements, tt.call); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The standard library's matcher is the other opinion, for texts without what
// is special to it alone.
func FuzzWildcard(f *testing.F) {
	for _, seed := range [][2]string{{"*", ""}, {"a*b*c", "aXbYc"}, {"?", "a"}, {"**a", "bba"}, {"a*", "b"}, {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaa"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.ContainsAny(pattern+s, `[]\/`) || !isASCII(pattern+s) {
			t.Skip()
		}
		want, err := path.Match(pattern, s)
		if err != nil {
			t.Skip()
		}
		if got := wildcard(pattern, s); got != want {
			t.Errorf("wildcard(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}
