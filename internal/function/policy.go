package function

// Policy is the resource policy of a function, of one of its versions or of an
// alias: who besides the account itself may call it. There is none without a
// statement. A *Policy that has been handed out is never changed.
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
type Policy struct {
	Key Key
	// Qualifier is a version number or the name of an alias; empty for the
	// function.
	Qualifier string
	// RevisionID is a UUID that changes with every change of the policy.
	RevisionID string
	Statements []Statement // in the order in which they were added
}

// Ref is what the policy is about.
func (p *Policy) Ref() Ref { return Ref{Key: p.Key, Qualifier: p.Qualifier} }

// Statement allows an action to a principal. Conditions that are empty were
// not given; those given must all hold.
type Statement struct {
	SID    string
	Action string // "lambda:InvokeFunction", "lambda:*", "*"
	// Principal is "*", a service ("s3.amazonaws.com") or an ARN ("arn:aws:iam::
	// 123456789012:root" for everyone in an account).
	Principal string

	SourceARN           string `json:",omitempty"` // may have the wildcards * and ?
	SourceAccount       string `json:",omitempty"`
	PrincipalOrgID      string `json:",omitempty"`
	EventSourceToken    string `json:",omitempty"`
	FunctionURLAuthType string `json:",omitempty"` // "NONE" or "AWS_IAM"
	// InvokedViaFunctionURL allows calls by way of the function's URL only.
	InvokedViaFunctionURL bool `json:",omitempty"`
}
