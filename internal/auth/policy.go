package auth

import (
	"strings"

	"github.com/lambhq/lamb/internal/function"
)

// The actions of those who call functions.
const (
	ActionInvokeFunction    = "lambda:InvokeFunction"
	ActionInvokeFunctionURL = "lambda:InvokeFunctionUrl"
)

// A Call is what a resource policy is asked about. Members that are empty say
// that there is no such thing: a condition on it does not hold.
type Call struct {
	Action string
	// Principal is the ARN of who calls, Account its account; Service is set
	// instead when an AWS service calls. All empty: anybody, unsigned.
	Principal, Account, Service string

	SourceARN, SourceAccount string // on whose behalf a service calls
	PrincipalOrgID           string
	EventSourceToken         string
	FunctionURLAuthType      string // of the URL that is called
	ViaFunctionURL           bool
}

// Permits reports whether one of the statements allows a call. What no
// statement allows is denied: there are no statements that deny.
func Permits(statements []function.Statement, c Call) bool {
	for i := range statements {
		if permits(&statements[i], &c) {
			return true
		}
	}
	return false
}

// PermitsURL reports whether the statements allow a call through a function's
// URL. It needs both actions, as URLs of AWS made since October 2025 do:
// lambda:InvokeFunctionUrl, and lambda:InvokeFunction by way of the URL.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func PermitsURL(statements []function.Statement, c Call) bool {
	c.ViaFunctionURL = true
	c.Action = ActionInvokeFunctionURL
	if !Permits(statements, c) {
		return false
	}
	c.Action = ActionInvokeFunction
	return Permits(statements, c)
}

func permits(s *function.Statement, c *Call) bool {
	return actionMatches(s.Action, c.Action) && principalMatches(s.Principal, c) &&
		(s.SourceARN == "" || arnLike(s.SourceARN, c.SourceARN)) &&
		equals(s.SourceAccount, c.SourceAccount) &&
		equals(s.PrincipalOrgID, c.PrincipalOrgID) &&
		equals(s.EventSourceToken, c.EventSourceToken) &&
		equals(s.FunctionURLAuthType, c.FunctionURLAuthType) &&
		(!s.InvokedViaFunctionURL || c.ViaFunctionURL)
}

// equals is the condition StringEquals; it holds when it was not given.
func equals(wanted, is string) bool { return wanted == "" || wanted == is }

// actionMatches compares as IAM does: without regard to case, "lambda:*" and
// "*" are every action.
func actionMatches(allowed, asked string) bool {
	return allowed == "*" || strings.EqualFold(allowed, "lambda:*") || strings.EqualFold(allowed, asked)
}

func principalMatches(allowed string, c *Call) bool {
	switch {
	case allowed == "*":
		return true
	case !strings.HasPrefix(allowed, "arn:"):
		return allowed == c.Service
	case c.Principal == "":
		return false
	case allowed == c.Principal:
		return true
	}
	f := strings.SplitN(allowed, ":", arnParts)
	if len(f) != arnParts || f[2] != "iam" || f[4] != c.Account {
		return false
	}
	if f[5] == "root" { // everyone in the account
		return true
	}
	role, ok := strings.CutPrefix(f[5], "role/")
	if !ok {
		return false
	}
	// A session has the role's name, without its path.
	role = role[strings.LastIndexByte(role, '/')+1:]
	session := "arn:" + f[1] + ":sts::" + f[4] + ":assumed-role/" + role + "/"
	return len(c.Principal) > len(session) && strings.HasPrefix(c.Principal, session)
}

// arnParts are arn, partition, service, region, account and resource.
const arnParts = 6

// arnLike is the condition ArnLike: every part of the pattern may have the
// wildcards * and ?, which do not reach into the next one.
func arnLike(pattern, arn string) bool {
	p, a := strings.SplitN(pattern, ":", arnParts), strings.SplitN(arn, ":", arnParts)
	if len(p) != arnParts || len(a) != arnParts {
		return false
	}
	for i := range p {
		if !wildcard(p[i], a[i]) {
			return false
		}
	}
	return true
}

// wildcard matches with * for any characters and ? for one. It takes at most
// len(pattern) × len(s) steps: patterns come from clients.
func wildcard(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0 // the last *, and what it has taken so far
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
