// Package e2e proves lamb with programs that the project did not write: the
// AWS CLI, boto3, the AWS SDK for Go, and functions on aws-lambda-go, Python,
// Node and plain curl. It has tests only. They build the lamb command, run it
// as a child process and speak to it as a user does, so this package imports
// nothing of ours.
//
// Programs that may be missing (aws, boto3, node, curl) make their tests skip
// and say so. -short makes the crash test do fewer rounds.
//
// The functions under testdata are built by the tests: gofunc on
// aws-lambda-go, caller on the SDK, rawfunc by hand on a socket.
package e2e
