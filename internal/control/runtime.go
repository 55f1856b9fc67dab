package control

import (
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// setRuntime checks a runtime that was given; one that a function has already
// stays, however old.
func setRuntime(cfg *function.Config, key function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.Runtime == nil {
		return nil
	}
	id := *in.Runtime
	r, ok := function.LookupRuntime(id)
	if !ok {
		return unknownRuntime(id)
	}
	if r.Support == function.Retired {
		return invalidParameter("The runtime parameter of " + id + " is no longer supported for creating or updating " +
			"AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.")
	}
	cfg.Runtime = id
	cfg.RuntimeVersionARN = function.RuntimeVersionARN(key.Partition, key.Region, id)
	return nil
}

// unknownRuntime reads like a failed constraint and is none (rule 17).
func unknownRuntime(id string) error {
	var ids []string
	for _, r := range function.Runtimes() {
		ids = append(ids, r.ID)
	}
	return invalidParameter("Value " + id + " at 'runtime' failed to satisfy constraint: " +
		"Member must satisfy enum value set: [" + strings.Join(ids, ", ") + "] or be a valid ARN")
}
