package control

import (
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// Every refusal is made here, so that operations read as rules and the shapes
// of errors are in one place.

func invalidParameter(message string) error {
	return &api.InvalidParameterValueException{Message: message}
}

func resourceNotFound(message string) error {
	return &api.ResourceNotFoundException{Message: message}
}

// noSuchResource is what some families say of what is missing (rule 29).
func noSuchResource() error { return resourceNotFound("The resource you requested does not exist.") }

func functionNotFound(arn string) error { return resourceNotFound("Function not found: " + arn) }

func resourceConflict(message string) error {
	return &api.ResourceConflictException{Message: message}
}

func updateInProgress(key function.Key) error {
	return resourceConflict("The operation cannot be performed at this time. " +
		"An update is in progress for resource: " + key.ARN())
}

func preconditionFailed() error {
	return &api.PreconditionFailedException{Message: "The Revision Id provided does not match the latest Revision Id. " +
		"Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
}

func policyPreconditionFailed() error {
	return &api.PreconditionFailedException{Message: "The Revision Id provided does not match the latest Revision Id. " +
		"Call the GetPolicy API to retrieve the latest Revision Id"}
}

func policyTooLong(size int) error {
	return &api.PolicyLengthExceededException{
		Message: fmt.Sprintf("The final policy size (%d) is bigger than the limit (%d).", size, maxPolicyBytes),
	}
}

// accessDenied has no message, as recorded for the ARN of another account.
func accessDenied() error { return &api.AccessDeniedException{} }

func requestTooLarge(message string) error {
	return &api.RequestEntityTooLargeException{Message: message}
}

func codeStorageExceeded() error {
	return &api.CodeStorageExceededException{Message: "Code storage limit exceeded."}
}

func codeSigningConfigNotFound(arn string) error {
	return &api.CodeSigningConfigNotFoundException{Message: "The code signing configuration cannot be found. " +
		"Check that the provided configuration is not deleted: " + arn + "."}
}

// constraint is a failed constraint of a number, in the words and the type of
// the API's own validation.
func constraint(path string, value, limit int) error {
	return api.NewValidation("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: "+
		"Member must have value less than or equal to %d", value, path, limit)
}

// memoryTooLarge is the service's own check: the constraint of the model is
// wider, for functions on managed instances.
func memoryTooLarge(limit int) error {
	return invalidParameter(fmt.Sprintf("'MemorySize' value failed to satisfy constraint: "+
		"Member must have value less than or equal to %d", limit))
}
