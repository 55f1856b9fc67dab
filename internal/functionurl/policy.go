package functionurl

import "github.com/lambhq/lamb/internal/auth"

// allowed reports whether a call may be made. What a URL without signatures
// needs is a policy that lets everyone call it. Who signs may call what is in
// the own account, since the account's own policies are not lamb's.
func (h *Handler) allowed(c Call) bool {
	call := auth.Call{FunctionURLAuthType: c.URL.AuthType}
	if c.URL.AuthType == AuthIAM {
		if c.Caller == nil {
			return false
		}
		if c.Caller.Account == c.URL.Key.Account {
			return true
		}
		call.Account, call.Principal = c.Caller.Account, c.Caller.ARN
	}
	policy, ok := h.cfg.Catalog.Policy(c.URL.Ref())
	return ok && auth.PermitsURL(policy.Statements, call)
}
