package deploy

import (
	"context"
	"strings"

	"github.com/lambhq/lamb/internal/awsclient"
)

// DefaultRole is the execution role of functions that name none.
const DefaultRole = "lamb-execution"

// trust lets Lambda take a role.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// FindRole is the ARN of an execution role with a name or ARN, and whether it is
// there. A lamb has no roles: the ARN is made up there, and for one that is not
// there yet, too.
func FindRole(ctx context.Context, c *awsclient.Client, role string) (arn string, found bool, err error) {
	switch {
	case strings.HasPrefix(role, "arn:"):
		return role, true, nil
	case role == "":
		role = DefaultRole
	}
	unknown := "arn:aws:iam::000000000000:role/" + role
	if c.Lamb {
		return unknown, true, nil
	}
	arn, err = c.RoleARN(ctx, role)
	if awsclient.IsNotFound(err) {
		return unknown, false, nil
	}
	return arn, err == nil, err
}

// Role is FindRole, but makes a role that is not there, with the policy that
// lets functions write logs.
func Role(ctx context.Context, c *awsclient.Client, role string) (arn string, made bool, err error) {
	arn, found, err := FindRole(ctx, c, role)
	if found || err != nil {
		return arn, false, err
	}
	if role == "" {
		role = DefaultRole
	}
	if arn, err = c.CreateRole(ctx, role, trust, "Functions deployed by lamb"); err != nil {
		return "", false, err
	}
	partition := "aws"
	if parts := strings.SplitN(arn, ":", 3); len(parts) == 3 {
		partition = parts[1]
	}
	return arn, true, c.AttachRolePolicy(ctx, role, "arn:"+partition+":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
}
