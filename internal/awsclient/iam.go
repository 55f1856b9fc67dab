package awsclient

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// query sends a call of the query protocol, which IAM and STS speak, and reads
// its XML answer.
func (c *Client) query(ctx context.Context, service awsconfig.Service, version, action string, params url.Values, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	for k, v := range params {
		form[k] = v
	}
	resp, err := c.send(ctx, call{
		service: service, operation: action, method: http.MethodPost, path: "/",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, body: []byte(form.Encode()),
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return xml.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxAnswer)).Decode(out)
}

func (c *Client) iam(ctx context.Context, action string, params url.Values, out any) error {
	return c.query(ctx, awsconfig.IAM, "2010-05-08", action, params, out)
}

// readXMLError reads the code and message of an error of the query protocol.
func readXMLError(body []byte) (code, message string) {
	var e struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	_ = xml.Unmarshal(body, &e) // what is no such document has neither
	return e.Code, e.Message
}

// RoleARN is a role's ARN; IsNotFound tells that there is none of that name.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
func (c *Client) RoleARN(ctx context.Context, name string) (string, error) {
	var out struct {
		ARN string `xml:"GetRoleResult>Role>Arn"`
	}
	err := c.iam(ctx, "GetRole", url.Values{"RoleName": {name}}, &out)
	return out.ARN, err
}

// CreateRole makes a role that a trust policy lets others take, and returns its
// ARN. https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
func (c *Client) CreateRole(ctx context.Context, name, trust, description string) (string, error) {
	var out struct {
		ARN string `xml:"CreateRoleResult>Role>Arn"`
	}
	err := c.iam(ctx, "CreateRole", url.Values{
		"RoleName": {name}, "AssumeRolePolicyDocument": {trust}, "Description": {description},
	}, &out)
	return out.ARN, err
}

// DeleteRole deletes a role that has no policies.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	return c.iam(ctx, "DeleteRole", url.Values{"RoleName": {name}}, nil)
}

// AttachRolePolicy gives a role a managed policy.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
func (c *Client) AttachRolePolicy(ctx context.Context, role, policyARN string) error {
	return c.iam(ctx, "AttachRolePolicy", url.Values{"RoleName": {role}, "PolicyArn": {policyARN}}, nil)
}

// Account is the caller's account, and the ARN of who calls.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (c *Client) Account(ctx context.Context) (account, arn string, err error) {
	var out struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		ARN     string `xml:"GetCallerIdentityResult>Arn"`
	}
	err = c.query(ctx, awsconfig.STS, "2011-06-15", "GetCallerIdentity", nil, &out)
	return out.Account, out.ARN, err
}
