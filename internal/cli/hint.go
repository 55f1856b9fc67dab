package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/lambhq/lamb/internal/awsclient"
)

// interruptedStatus is the exit status after Ctrl-C, as shells have it.
const interruptedStatus = 130

// interrupted reports whether a command failed because somebody ended it.
func interrupted(ctx context.Context, err error) bool {
	return ctx != nil && ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
}

// fail prints an error with what to do about it, and returns the exit status.
func fail(stderr io.Writer, ctx context.Context, err error) int {
	if interrupted(ctx, err) {
		fmt.Fprintln(stderr, "lamb: interrupted")
		return interruptedStatus
	}
	fmt.Fprintf(stderr, "lamb: %v\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintln(stderr, h)
	}
	return 1
}

// hint is what to do about an error; empty where the error says it itself.
func hint(err error) string {
	if e := (*awsclient.Error)(nil); errors.As(err, &e) {
		return serviceHint(e)
	}
	if e := (*net.DNSError)(nil); errors.As(err, &e) {
		return "Is --target or --region right, and is there a network?"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens there. 'lamb serve' starts a lamb, --target URL names another one."
	case errors.Is(err, fs.ErrPermission):
		return "Give this user access to it, or name another place."
	}
	return ""
}

// serviceHint is what to do about an error of a service, by its code.
func serviceHint(e *awsclient.Error) string {
	switch e.Code {
	case "ResourceNotFoundException":
		if strings.HasPrefix(e.Message, "Function not found") {
			return "'lamb ls' shows the functions that are there, 'lamb deploy PATH' makes one."
		}
	case "AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException",
		"SignatureDoesNotMatch", "MissingAuthenticationTokenException":
		return "Check who you are there ('aws sts get-caller-identity'), and choose by --profile and --region."
	case "InvalidSignatureException":
		return "Check the region (--region us-east-1) and the credentials (--profile)."
	case "InvalidParameterValueException":
		if strings.Contains(e.Message, notAssumable) {
			return "Let lambda.amazonaws.com take the role, or have 'lamb iam PATH' make one."
		}
	}
	return ""
}

// notAssumable is in the message of a Lambda that may not take a role.
const notAssumable = "cannot be assumed by Lambda"
