package control

import (
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pattern"
	"github.com/lambhq/lamb/internal/store"
)

// maxPolicyBytes is the longest policy document.
const maxPolicyBytes = 20480

// The document of a policy, with its members in AWS's order.
type (
	policyDocument struct {
		Version   string
		ID        string `json:"Id"`
		Statement []policyStatement
	}
	policyStatement struct {
		SID       string `json:"Sid"`
		Effect    string
		Principal any // "*", or an object with one member
		Action    string
		Resource  string
		Condition *policyCondition `json:",omitempty"`
	}
	policyCondition struct {
		StringEquals *equalConditions `json:",omitempty"`
		ArnLike      *arnConditions   `json:",omitempty"`
		Bool         *boolConditions  `json:",omitempty"`
	}
	equalConditions struct {
		FunctionURLAuthType string `json:"lambda:FunctionUrlAuthType,omitempty"`
		EventSourceToken    string `json:"lambda:EventSourceToken,omitempty"`
		SourceAccount       string `json:"AWS:SourceAccount,omitempty"`
		PrincipalOrgID      string `json:"aws:PrincipalOrgID,omitempty"`
	}
	arnConditions struct {
		SourceARN string `json:"AWS:SourceArn"`
	}
	boolConditions struct {
		InvokedViaFunctionURL string `json:"lambda:InvokedViaFunctionUrl"`
	}
)

// showStatement is a statement of a policy about ref, as JSON.
func showStatement(ref function.Ref, s function.Statement) (string, error) {
	return compactJSON(newPolicyStatement(ref, s))
}

// showPolicy is the document of a policy, as JSON.
func showPolicy(p *function.Policy) (string, error) {
	doc := policyDocument{Version: "2012-10-17", ID: "default"}
	for _, s := range p.Statements {
		doc.Statement = append(doc.Statement, newPolicyStatement(p.Ref(), s))
	}
	return compactJSON(doc)
}

func newPolicyStatement(ref function.Ref, s function.Statement) policyStatement {
	out := policyStatement{
		SID: s.SID, Effect: "Allow", Principal: showPrincipal(s.Principal), Action: s.Action, Resource: ref.ARN(),
	}
	var when policyCondition
	equal := equalConditions{
		FunctionURLAuthType: s.FunctionURLAuthType, EventSourceToken: s.EventSourceToken,
		SourceAccount: s.SourceAccount, PrincipalOrgID: s.PrincipalOrgID,
	}
	if equal != (equalConditions{}) {
		when.StringEquals = &equal
	}
	if s.SourceARN != "" {
		when.ArnLike = &arnConditions{s.SourceARN}
	}
	if s.InvokedViaFunctionURL {
		when.Bool = &boolConditions{"true"}
	}
	if when != (policyCondition{}) {
		out.Condition = &when
	}
	return out
}

func showPrincipal(principal string) any {
	switch {
	case principal == "*":
		return principal
	case principalARN().MatchString(principal):
		return struct{ AWS string }{principal}
	default:
		return struct{ Service string }{principal}
	}
}

var (
	servicePrincipal = pattern.Lazy(`^[a-z0-9][a-z0-9.-]*\.amazon(aws)?\.com(\.cn)?$`)
	principalARN     = pattern.Lazy(`^arn:aws[a-z-]*:(iam::\d{12}:(root|(user|role)/.+)|sts::\d{12}:(assumed-role|federated-user)/.+)$`)
)

// newStatement reads the statement that a request adds to a policy about a
// function of key.
func newStatement(key function.Key, in *api.AddPermissionRequest) (function.Statement, error) {
	s := function.Statement{
		SID:                   api.Value(in.StatementId),
		Action:                api.Value(in.Action),
		Principal:             api.Value(in.Principal),
		SourceARN:             api.Value(in.SourceArn),
		SourceAccount:         api.Value(in.SourceAccount),
		PrincipalOrgID:        api.Value(in.PrincipalOrgID),
		EventSourceToken:      api.Value(in.EventSourceToken),
		FunctionURLAuthType:   api.Value(in.FunctionUrlAuthType),
		InvokedViaFunctionURL: api.Value(in.InvokedViaFunctionUrl),
	}
	if auth.IsAccountID(s.Principal) {
		s.Principal = "arn:" + key.Partition + ":iam::" + s.Principal + ":root"
	}
	switch {
	case s.Principal != "*" && !servicePrincipal().MatchString(s.Principal) && !principalARN().MatchString(s.Principal):
		return s, invalidParameter("The provided principal was invalid. Please check the principal and try again.")
	case s.FunctionURLAuthType != "" && s.Action != auth.ActionInvokeFunctionURL:
		return s, invalidParameter("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
	case s.InvokedViaFunctionURL && s.Action != auth.ActionInvokeFunction:
		return s, invalidParameter("InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action")
	}
	return s, nil
}

// checkPolicyOwner makes sure that there is what a policy is to be about.
func checkPolicyOwner(tx *store.Tx, ref function.Ref) error {
	if _, err := getLatest(tx, ref); err != nil {
		return err
	}
	if function.IsAliasName(ref.Qualifier) {
		_, err := tx.Alias(ref.Key, ref.Qualifier)
		if errors.Is(err, store.ErrNotFound) {
			return cannotFindAlias(ref)
		}
		return err
	}
	if ref.Qualifier == "" {
		return nil
	}
	_, err := tx.Get(ref.Key, ref.Qualifier)
	if errors.Is(err, store.ErrNotFound) {
		return functionNotFound(ref.ARN())
	}
	return err
}
