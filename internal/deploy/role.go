package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/awsclient"
)

// DefaultRole is the execution role of functions that name none.
const DefaultRole = "lamb-execution"

// trust lets Lambda take a role.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// undoTime is how long a role that is of no use may take to be deleted again.
const undoTime = 10 * time.Second

// findRole is the ARN of an execution role with a name or ARN; without one, the
// role is not there. A lamb has no roles: the ARN is made up there. One that is
// given as an ARN is taken as it is.
func findRole(ctx context.Context, c *awsclient.Client, role string) (arn string, err error) {
	if strings.HasPrefix(role, "arn:") {
		return role, nil
	}
	if c.Lamb {
		return roleARN("aws", "000000000000", nameOf(role)), nil
	}
	arn, err = c.RoleARN(ctx, nameOf(role))
	if awsclient.IsNotFound(err) {
		return "", nil
	}
	return arn, err
}

func nameOf(role string) string {
	if role == "" {
		return DefaultRole
	}
	return role
}

func roleARN(partition, account, name string) string {
	return "arn:" + partition + ":iam::" + account + ":role/" + name
}

// PlannedRole is the ARN that Role would return. It makes nothing: of a role
// that is not there, the ARN is that of one in the caller's account.
func PlannedRole(ctx context.Context, c *awsclient.Client, role string) (arn string, err error) {
	if arn, err = findRole(ctx, c, role); arn != "" || err != nil {
		return arn, err
	}
	account, caller, err := c.Account(ctx)
	if err != nil {
		return "", err
	}
	return roleARN(partitionOf(caller), account, nameOf(role)), nil
}

func partitionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 3); len(parts) == 3 {
		return parts[1]
	}
	return "aws"
}

// Role is the ARN of an execution role with a name or ARN. One that is not
// there is made, with the policy that lets functions write logs.
func Role(ctx context.Context, c *awsclient.Client, role string) (arn string, made bool, err error) {
	if arn, err = findRole(ctx, c, role); arn != "" || err != nil {
		return arn, false, err
	}
	name := nameOf(role)
	if arn, err = c.CreateRole(ctx, name, trust, "Functions deployed by lamb"); err != nil {
		return "", false, err
	}
	policy := "arn:" + partitionOf(arn) + ":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
	if err := c.AttachRolePolicy(ctx, name, policy); err != nil {
		// The next time it would be found and taken for a whole one.
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		if left := c.DeleteRole(undo, name); left != nil {
			err = errors.Join(err, fmt.Errorf("the role %s was made, has no policy, and could not be deleted: %w", arn, left))
		}
		return "", false, err
	}
	return arn, true, nil
}
