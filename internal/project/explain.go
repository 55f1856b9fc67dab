package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/pattern"
)

// A requirement says what a setting must be.
type requirement struct{ setting, must string }

// requirements are those of the members of the API, by their paths in errors.
var requirements = map[string]requirement{
	"functionName":                      {"name", "up to 64 letters, digits, - and _"},
	"description":                       {"description", "up to 256 characters"},
	"handler":                           {"handler", "up to 128 characters without spaces"},
	"role":                              {"role", "a role's name, or its ARN (arn:aws:iam::123456789012:role/name)"},
	"timeout":                           {"timeout", "1 to 900 seconds"},
	"memorySize":                        {"memory", "128 to 10240 MB"},
	"ephemeralStorage.size":             {"ephemeral_storage", "512 to 10240 MB"},
	"kMSKeyArn":                         {"kms_key", "a key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID)"},
	"layers":                            {"layers", "ARNs of layer versions (arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION)"},
	"deadLetterConfig.targetArn":        {"dead_letters", "the ARN of an SQS queue or SNS topic"},
	"tracingConfig.mode":                {"tracing", "Active or PassThrough"},
	"loggingConfig.logFormat":           {"[logging] format", "Text or JSON"},
	"loggingConfig.applicationLogLevel": {"[logging] application_level", "TRACE, DEBUG, INFO, WARN, ERROR or FATAL"},
	"loggingConfig.systemLogLevel":      {"[logging] system_level", "DEBUG, INFO or WARN"},
	"loggingConfig.logGroup":            {"[logging] group", "up to 512 letters, digits and . - _ / #"},
	"vpcConfig.subnetIds":               {"[vpc] subnets", "up to 16 ids"},
	"vpcConfig.securityGroupIds":        {"[vpc] security_groups", "up to 5 ids"},
	"environment.variables":             {"[environment]", "names of two or more letters, digits and _, a letter first"},
}

var (
	memberInError = pattern.Lazy(`at '([A-Za-z.]+)[^']*' failed`)
	variableName  = pattern.Lazy(`^[a-zA-Z][a-zA-Z0-9_]+$`)
)

// maxSaid bounds what is repeated of a service's words, in bytes: they may
// quote all that was given.
const maxSaid = 600

// Explain puts in front of an error about a request which settings it speaks
// of, and what these must be.
func Explain(in *api.CreateFunctionRequest, err error) error {
	var said []string
	for _, m := range memberInError().FindAllStringSubmatch(err.Error(), -1) {
		r, known := requirements[m[1]]
		if !known {
			continue
		}
		text := r.setting + " must be " + r.must
		if m[1] == "environment.variables" {
			text = fmt.Sprintf("%s must have %s: %s", r.setting, r.must, strings.Join(wrongVariables(in), ", "))
		}
		if !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	return errors.New(strings.Join(append(said, abridged(err.Error())), "\n"))
}

// abridged is what a service says, without all that was given to it.
func abridged(text string) string {
	text, _, _ = strings.Cut(text, " String measured:") // variables, and they may be secrets
	if len(text) <= maxSaid {
		return text
	}
	cut := maxSaid
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}

// wrongVariables are the names of variables that Lambda does not take.
func wrongVariables(in *api.CreateFunctionRequest) []string {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(in.Environment.Variables)) {
		if !variableName().MatchString(name) {
			wrong = append(wrong, fmt.Sprintf("%q", name))
		}
	}
	return wrong
}
