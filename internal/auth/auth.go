// Package auth decides who a request comes from: it reads AWS Signature
// Version 4 from headers and presigned queries, verifies signatures in full,
// keeps the credentials that lamb mints for execution environments, says what
// those may do, evaluates resource policies, and makes the MAC-signed links of
// Code.Location. It does no I/O beyond reading random bytes, and imports
// function only.
package auth

// Error is a refusal in AWS's words. Every one of them is answered with
// status 403.
type Error struct {
	Type    string // "InvalidSignatureException"
	Message string
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// The refusals whose text never varies.
var (
	// ErrMissingToken: the request carries no signature at all.
	ErrMissingToken = &Error{"MissingAuthenticationTokenException", "Missing Authentication Token"}
	// ErrUnknownKey: the access key is lamb's own kind and not a live one, or
	// its session token is another one.
	ErrUnknownKey = &Error{"UnrecognizedClientException", "The security token included in the request is invalid."}
	// ErrMismatch: the signature is not the one that the secret gives.
	ErrMismatch = &Error{"InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

func incomplete(message string) *Error { return &Error{"IncompleteSignatureException", message} }

func invalid(message string) *Error { return &Error{"InvalidSignatureException", message} }
