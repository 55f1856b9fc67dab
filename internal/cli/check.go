package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/control"
	"github.com/lambhq/lamb/internal/deploy"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/project"
	"github.com/lambhq/lamb/internal/server"
)

// newFunctionKey is the key of a project's function at a lamb that nobody has
// configured.
func newFunctionKey(name string) function.Key {
	return function.Key{Partition: "aws", Account: server.DefaultAccount, Region: first(os.Getenv("AWS_REGION"), server.DefaultRegion), Name: name}
}

// roleToCheck is a role's ARN, made up for one that is given by its name:
// checks want one before anybody is asked for the true one.
func roleToCheck(role string) string {
	if strings.HasPrefix(role, "arn:") {
		return role
	}
	return "arn:aws:iam::" + server.DefaultAccount + ":role/" + first(role, deploy.DefaultRole)
}

// checkRequest refuses what Lambda would refuse, before anything is sent.
func checkRequest(req deploy.Request) error {
	if err := checkFunction(req.Function); err != nil {
		return err
	}
	name := req.Function.FunctionName
	if err := checkPrincipals(*name, req.Principals); err != nil || req.Alias == "" {
		return err
	}
	if err := api.Check(&api.CreateAliasRequest{FunctionName: name, Name: &req.Alias, FunctionVersion: new("1")}); err != nil {
		return fmt.Errorf("--alias %q: letters, digits, - and _, and not only digits: %w", req.Alias, err)
	}
	return nil
}

// checkPrincipals refuses who cannot be allowed to invoke a function.
func checkPrincipals(name string, principals []string) error {
	for _, p := range principals {
		err := api.Check(&api.AddPermissionRequest{FunctionName: &name, StatementId: new("lamb"), Action: new("lambda:InvokeFunction"), Principal: &p})
		if err != nil || p == "" {
			return errors.Join(fmt.Errorf("principal %q: must be a service (s3.amazonaws.com), an account of 12 digits, or *", p), err)
		}
	}
	return nil
}

// checkFunction refuses a function that Lambda would not make.
func checkFunction(in *api.CreateFunctionRequest) error {
	err := api.Check(in)
	if err == nil {
		err = control.CheckNew(newFunctionKey(*in.FunctionName), in)
	}
	if err == nil {
		return nil
	}
	return project.Explain(in, err)
}
