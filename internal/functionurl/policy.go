package functionurl

import (
	"strings"

	"github.com/lambhq/lamb/internal/function"
)

// allowed reports whether a call may be made. What a URL without signatures
// needs is a policy that lets everyone call it: URLs made since October 2025
// need two actions. Who signs may call what is in the own account, since the
// account's own policies are not lamb's.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func (h *Handler) allowed(c Call) bool {
	account := ""
	if c.URL.AuthType == AuthIAM {
		if c.Caller == nil {
			return false
		}
		if c.Caller.Account == c.URL.Key.Account {
			return true
		}
		account = c.Caller.Account
	}
	policy, ok := h.cfg.Catalog.Policy(c.URL.Ref())
	if !ok {
		return false
	}
	return grants(policy, "lambda:InvokeFunctionUrl", account, c.URL.AuthType) &&
		grants(policy, "lambda:InvokeFunction", account, c.URL.AuthType)
}

// grants reports whether a statement allows an action, by way of a URL, to an
// account, or to everyone for an empty one.
func grants(p *function.Policy, action, account, authType string) bool {
	for _, s := range p.Statements {
		if s.Action != action && s.Action != "lambda:*" && s.Action != "*" {
			continue
		}
		if s.FunctionURLAuthType != "" && s.FunctionURLAuthType != authType {
			continue
		}
		// Conditions on what no request to a URL has.
		if s.SourceARN != "" || s.SourceAccount != "" || s.PrincipalOrgID != "" || s.EventSourceToken != "" {
			continue
		}
		if s.Principal == "*" || account != "" && (s.Principal == account || inAccount(s.Principal, account)) {
			return true
		}
	}
	return false
}

// inAccount reports whether an ARN is of an account.
func inAccount(arn, account string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[4] == account
}
