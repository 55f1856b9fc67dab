package auth

import "fmt"

// Access is what the credentials of an environment may do.
type Access string

// The accesses, as --function-access takes them.
const (
	AccessInvoke Access = "invoke" // call functions, nothing else
	AccessFull   Access = "full"   // every operation
	AccessNone   Access = "none"   // no operation
)

// ParseAccess reads the value of --function-access.
func ParseAccess(s string) (Access, error) {
	switch a := Access(s); a {
	case AccessInvoke, AccessFull, AccessNone:
		return a, nil
	}
	return "", fmt.Errorf("function access %q is none of %s, %s, %s", s, AccessInvoke, AccessFull, AccessNone)
}

// Allowed reports whether access covers an operation of the Lambda API, by
// its name. An unknown access covers nothing.
func Allowed(access Access, operation string) bool {
	switch access {
	case AccessFull:
		return true
	case AccessInvoke:
		return invokes(operation)
	}
	return false
}

// Action is the IAM action that an operation needs.
func Action(operation string) string {
	if invokes(operation) {
		return ActionInvokeFunction
	}
	return "lambda:" + operation
}

func invokes(operation string) bool {
	return operation == "Invoke" || operation == "InvokeAsync" || operation == "InvokeWithResponseStream"
}

// ARN is the owner as an identity.
func (o Owner) ARN() string {
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/lamb-function/%s", o.Partition, o.Account, o.Name)
}

// Denied is the refusal of an operation on resource (an ARN, or "*") to the
// environment that owns the credentials.
func Denied(owner Owner, operation, resource string) *Error {
	action := Action(operation)
	return &Error{"AccessDeniedException", fmt.Sprintf(
		"User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		owner.ARN(), action, resource, action)}
}
