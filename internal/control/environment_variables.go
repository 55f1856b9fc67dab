package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// maxEnvironment is how large the variables may be as compact JSON, in bytes.
const maxEnvironment = 4096

// isReserved tells whether Lambda sets the variable itself.
func isReserved(name, runtime string) bool {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
		"AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN",
		"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL":
		return true
	case "AWS_SECRET_KEY":
		return runtime == "java8.al2" || runtime == "java11"
	default:
		return false
	}
}

// setEnvironment replaces the variables as a whole.
func setEnvironment(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.Environment == nil {
		return nil
	}
	variables := in.Environment.Variables
	var reserved []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if isReserved(name, cfg.Runtime) {
			reserved = append(reserved, name)
		}
		// The API's JSON can carry it; no process's environment can.
		if strings.ContainsRune(variables[name], 0) {
			return invalidParameter("The value of the environment variable " + name + " contains a null character.")
		}
	}
	if len(reserved) > 0 {
		return invalidParameter("Lambda was unable to configure your environment variables because the environment " +
			"variables you have provided contains reserved keys that are currently not supported for modification. " +
			"Reserved keys used in this request: " + strings.Join(reserved, ", "))
	}
	measured, err := environmentJSON(variables)
	if err != nil {
		return fmt.Errorf("measure the environment: %w", err)
	}
	if len(measured) > maxEnvironment {
		return invalidParameter("Lambda was unable to configure your environment variables because the environment " +
			"variables you have provided exceeded the 4KB limit. String measured: " + measured)
	}
	cfg.Environment = make(map[string]string, len(variables))
	maps.Copy(cfg.Environment, variables)
	return nil
}

// environmentJSON prints variables sorted by name.
func environmentJSON(variables map[string]string) (string, error) {
	if variables == nil {
		return "{}", nil
	}
	return compactJSON(variables)
}

// compactJSON is v without white space, and with <, > and & as they are:
// escapes would count against limits.
func compactJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
