// Package lambdacontext gives functions what Lambda says of the environment
// and of the invocation that a context belongs to.
//
// Its names and types are those of aws-lambda-go/lambdacontext: a function
// that used that package changes the import.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/golang-context.html
package lambdacontext

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
)

// What the environment's variables say; all are as they were when the process
// started, and empty outside Lambda. A function may only read them.
var (
	// FunctionName is the name of the function.
	FunctionName = os.Getenv("AWS_LAMBDA_FUNCTION_NAME")
	// FunctionVersion is the number of the version, or $LATEST.
	FunctionVersion = os.Getenv("AWS_LAMBDA_FUNCTION_VERSION")
	// MemoryLimitInMB is the configured memory; 0 outside Lambda.
	MemoryLimitInMB = number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
	// LogGroupName is the log group that the function's output goes to. It is
	// empty with SnapStart.
	LogGroupName = os.Getenv("AWS_LAMBDA_LOG_GROUP_NAME")
	// LogStreamName is this environment's stream in the log group. It is empty
	// with SnapStart.
	LogStreamName = os.Getenv("AWS_LAMBDA_LOG_STREAM_NAME")
)

// number is a variable that is a number, or zero.
func number(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return 0
	}
	return n
}

// MaxConcurrency is how many events the environment may get at once: 1, but on
// managed instances.
func MaxConcurrency() int { return max(1, number("AWS_LAMBDA_MAX_CONCURRENCY")) }

// ClientApplication is the mobile application that called.
type ClientApplication struct {
	InstallationID string `json:"installation_id"`
	AppTitle       string `json:"app_title"`
	AppVersionCode string `json:"app_version_code"`
	AppPackageName string `json:"app_package_name"`
}

// ClientContext is what the caller sent along with the event, of up to 3,583
// bytes of base64.
type ClientContext struct {
	Client ClientApplication
	Env    map[string]string `json:"env"`
	Custom map[string]string `json:"custom"`
}

// UnmarshalJSON takes values of Custom that are not strings as their JSON.
func (cc *ClientContext) UnmarshalJSON(data []byte) error {
	var wide struct {
		Client ClientApplication
		Env    map[string]string          `json:"env"`
		Custom map[string]json.RawMessage `json:"custom"`
	}
	if err := json.Unmarshal(data, &wide); err != nil {
		return err
	}
	cc.Client, cc.Env = wide.Client, wide.Env
	if wide.Custom == nil {
		return nil
	}
	cc.Custom = make(map[string]string, len(wide.Custom))
	for name, value := range wide.Custom {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		cc.Custom[name] = text
	}
	return nil
}

// CognitoIdentity is the Amazon Cognito identity that called.
type CognitoIdentity struct {
	CognitoIdentityID     string
	CognitoIdentityPoolID string
}

// LambdaContext is what Lambda says of one invocation.
type LambdaContext struct {
	// AwsRequestID names the invocation in logs and traces; retries of an
	// asynchronous invocation have the same.
	AwsRequestID string
	// InvokedFunctionArn is the ARN as the caller had it, with version or alias.
	InvokedFunctionArn string
	// Identity is that of an authorized mobile application's user.
	Identity CognitoIdentity
	// ClientContext is what a mobile application sent along.
	ClientContext ClientContext
	// TenantID is the tenant, of a function with tenant isolation.
	TenantID string `json:",omitempty"`
}

type contextKey struct{}

// NewContext is a context that carries lc.
func NewContext(parent context.Context, lc *LambdaContext) context.Context {
	return context.WithValue(parent, contextKey{}, lc)
}

// FromContext is the LambdaContext of a context that a handler got, or that
// was made from it.
func FromContext(ctx context.Context) (*LambdaContext, bool) {
	lc, ok := ctx.Value(contextKey{}).(*LambdaContext)
	return lc, ok
}

// TraceID is the X-Ray trace header of the invocation that ctx belongs to:
// "Root=…;Parent=…;Sampled=…". It is empty where there is none.
//
// On managed instances, whose invocations share their environment variables,
// it takes the place of _X_AMZN_TRACE_ID.
func TraceID(ctx context.Context) string {
	id, _ := ctx.Value("x-amzn-trace-id").(string)
	return id
}
