package control

import (
	"testing"

	"github.com/lambhq/lamb/internal/api"
)

// Rule 31.
func TestDeleteFunction(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	get := func(qualifier string) error {
		_, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("fn"), Qualifier: &qualifier})
		return err
	}
	refuse := func(qualifier, code, message string) {
		t.Helper()
		_, err := b.ctl.DeleteFunction(b.caller(), &api.DeleteFunctionRequest{FunctionName: new("fn"), Qualifier: &qualifier})
		wantError(t, err, code, message)
	}
	refuse("$LATEST", "InvalidParameterValueException", "$LATEST version cannot be deleted without deleting the function.")
	refuse("live", "InvalidParameterValueException", "Deletion of aliases is not currently supported.")
	refuse("$latest", "ResourceNotFoundException", "Function not found: "+arnBase+"fn:$latest")
	refuse("$LATEST.PUBLISHED", "ResourceNotFoundException", "Function not found: "+arnBase+"fn:$LATEST.PUBLISHED")

	b.delete("fn", "99") // was never there
	if err := get("1"); err != nil {
		t.Errorf("version 1 went with another: %v", err)
	}
	b.delete("fn", "1")
	b.delete("fn", "1")
	wantError(t, get("1"), "ResourceNotFoundException", "Function not found: "+arnBase+"fn:1")
	if err := get("$LATEST"); err != nil {
		t.Errorf("the function went with its version: %v", err)
	}

	b.delete("fn", "")
	wantError(t, get("$LATEST"), "ResourceNotFoundException", "Function not found: "+arnBase+"fn:$LATEST")
	// With no function at all the ARN has no qualifier, whatever was asked for.
	refuse("1", "ResourceNotFoundException", "Function not found: "+arnBase+"fn")
	refuse("$latest", "ResourceNotFoundException", "Function not found: "+arnBase+"fn")
	_, err := b.ctl.DeleteFunction(b.caller(), &api.DeleteFunctionRequest{FunctionName: new("fn")})
	wantError(t, err, "ResourceNotFoundException", "Function not found: "+arnBase+"fn")
}

// A function can be deleted in the middle of its activation.
func TestDeleteWhilePending(t *testing.T) {
	b := newBench(t)
	b.gate.shut()
	if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "fn")); err != nil {
		t.Fatal(err)
	}
	b.delete("fn", "")
	b.gate.open(nil)
	// The worker is alive and does not bring the function back.
	b.create("other")
	_, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("fn")})
	wantError(t, err, "ResourceNotFoundException", "Function not found: "+arnBase+"fn")
}
