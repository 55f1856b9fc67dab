// Package awsclient is how lamb's commands call services: Lambda, IAM, STS and
// CloudWatch Logs, at Amazon's endpoints, at a lamb, or at any other server that
// speaks their protocols. Region, profile, credentials and endpoints are found as
// the AWS CLI finds them (package awsconfig).
//
// The SDK's service clients are not used: they would double the time that every
// lamb command takes to start, because each builds the schemas of all its
// operations before main begins (docs/dependencies.md). Inputs and outputs are
// the types of package api.
package awsclient
