package execenv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// VariablesInput is what a runtime's environment is built from.
type VariablesInput struct {
	Version *function.Version
	Paths   sandbox.Paths
	// RuntimeAPI is the sandbox's address.
	RuntimeAPI string
	// LogStream names this environment's log stream.
	LogStream string
	// Language are the defaults of the language's runtime, "K=V" (PATH,
	// NODE_PATH, ...); the function's own variables win over them.
	Language    []string
	Credentials Credentials
	// CredentialsToken is what the credentials endpoint is asked with; with it
	// the credentials themselves are not among the variables.
	CredentialsToken string
	// MaxConcurrency is how many invocations the runtime serves at once; 0 in
	// the usual mode.
	MaxConcurrency int
	// Initialization is why the environment is made.
	Initialization Initialization
	// LambdaEndpoint is where the function reaches the Lambda API;
	// OtherEndpoint where the other AWS services are, empty for none.
	LambdaEndpoint, OtherEndpoint string
}

// maxConcurrencyVariable tells a runtime how many invocations it serves at
// once; extensions do not get it.
const maxConcurrencyVariable = "AWS_LAMBDA_MAX_CONCURRENCY"

// defaults are the variables that a function may override.
func defaults(in VariablesInput) []string {
	vars := []string{
		"LANG=en_US.UTF-8",
		"PATH=/usr/local/bin:/usr/bin/:/bin:" + in.Paths.Opt + "/bin",
		"TZ=:UTC",
		"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS=169.254.100.1:2000",
		"PWD=" + in.Paths.Task,
		"SHLVL=0",
	}
	if in.Paths.Tmp != "/tmp" {
		// Only a sandbox without a file system of its own puts /tmp elsewhere:
		// this leads programs that ask politely to a folder of their own.
		vars = append(vars, "TMPDIR="+in.Paths.Tmp)
	}
	if in.OtherEndpoint != "" {
		vars = append(vars, "AWS_ENDPOINT_URL="+in.OtherEndpoint)
	}
	if in.LambdaEndpoint != "" {
		vars = append(vars, "AWS_ENDPOINT_URL_LAMBDA="+in.LambdaEndpoint)
	}
	return append(vars, in.Language...)
}

// reserved are the variables that nobody overrides.
func reserved(in VariablesInput) []string {
	v, c := in.Version, in.Version.Runs().Config
	runtimeDir := in.Paths.Runtime
	if runtimeDir == "" {
		runtimeDir = "/var/runtime" // a custom runtime has none; AWS names it all the same
	}
	vars := []string{
		"_HANDLER=" + c.Handler,
		"AWS_REGION=" + v.Key.Region,
		"AWS_DEFAULT_REGION=" + v.Key.Region,
		"AWS_LAMBDA_FUNCTION_NAME=" + v.Key.Name,
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", c.MemoryMB),
		"AWS_LAMBDA_FUNCTION_VERSION=" + v.Version,
		"AWS_LAMBDA_INITIALIZATION_TYPE=" + string(in.Initialization.Type()),
		"AWS_LAMBDA_LOG_FORMAT=" + c.Logging.Format,
		"AWS_LAMBDA_RUNTIME_API=" + in.RuntimeAPI,
		"LAMBDA_TASK_ROOT=" + in.Paths.Task,
		"LAMBDA_RUNTIME_DIR=" + runtimeDir,
		"_AWS_XRAY_DAEMON_ADDRESS=169.254.100.1",
		"_AWS_XRAY_DAEMON_PORT=2000",
	}
	if in.MaxConcurrency > 0 {
		vars = append(vars, fmt.Sprintf("%s=%d", maxConcurrencyVariable, in.MaxConcurrency))
	}
	if in.Initialization != SnapStart { // what is resumed elsewhere has another stream
		vars = append(vars, "AWS_LAMBDA_LOG_GROUP_NAME="+c.Logging.Group, "AWS_LAMBDA_LOG_STREAM_NAME="+in.LogStream)
	}
	vars = append(vars, in.credentialVariables()...)
	if c.Logging.ApplicationLevel != "" {
		vars = append(vars, "AWS_LAMBDA_LOG_LEVEL="+c.Logging.ApplicationLevel)
	}
	if isManaged(c.Runtime) {
		vars = append(vars, "AWS_EXECUTION_ENV=AWS_Lambda_"+c.Runtime, fmt.Sprintf("%s=%d", logDescriptorVariable, logDescriptor))
	}
	return vars
}

// isManaged tells whether a function's runtime is the service's and not its own.
func isManaged(runtime string) bool { return !strings.HasPrefix(runtime, "provided") }

// credentialVariables are the credentials, or where they are.
func (in *VariablesInput) credentialVariables() []string {
	if in.CredentialsToken != "" {
		return []string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://" + in.RuntimeAPI + "/2021-04-23/credentials",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN=" + in.CredentialsToken,
		}
	}
	return []string{
		"AWS_ACCESS_KEY_ID=" + in.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + in.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + in.Credentials.SessionToken,
	}
}

// Variables builds a runtime's whole environment, "K=V", sorted by name.
// Nothing is inherited from lamb. Later groups win: platform and language
// defaults, the function's own variables, reserved variables.
func Variables(in VariablesInput) []string {
	merged := make(map[string]string)
	set := func(vars []string) {
		for _, kv := range vars {
			k, v, _ := strings.Cut(kv, "=")
			merged[k] = v
		}
	}
	set(defaults(in))
	for k, v := range in.Version.Runs().Config.Environment {
		merged[k] = v
	}
	set(reserved(in))
	out := make([]string, 0, len(merged))
	for k, v := range merged {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
