package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// SettingsFile is the file in a project's folder that describes its function.
const SettingsFile = "lamb.toml"

// Settings are what lamb.toml can say. Everything may be left out; what is
// found in the folder, or AWS's default, counts then.
type Settings struct {
	Name        string `toml:"name"`
	Description string `toml:"description"`
	// Runtime and Handler are Lambda's ("python3.13", "app.handler").
	Runtime string `toml:"runtime"`
	Handler string `toml:"handler"`
	// Architecture is x86_64 or arm64.
	Architecture string `toml:"architecture"`
	// Role is an execution role's name or ARN.
	Role string `toml:"role"`
	// Timeout is in seconds, Memory and EphemeralStorage in MB.
	Timeout          int `toml:"timeout"`
	Memory           int `toml:"memory"`
	EphemeralStorage int `toml:"ephemeral_storage"`
	// Principals may invoke the function: services ("s3.amazonaws.com"),
	// accounts or "*".
	Principals  []string          `toml:"principals"`
	Environment map[string]string `toml:"environment"`
	// Layers are layer versions' ARNs.
	Layers []string          `toml:"layers"`
	Tags   map[string]string `toml:"tags"`
	KMSKey string            `toml:"kms_key"`
	// DeadLetters is a queue's or topic's ARN.
	DeadLetters string `toml:"dead_letters"`
	// Tracing is Active or PassThrough.
	Tracing string   `toml:"tracing"`
	VPC     *VPC     `toml:"vpc"`
	Logging *Logging `toml:"logging"`
	// Include are further files or folders, from the project's folder, that go
	// into the package of a compiled function.
	Include []string `toml:"include"`
}

// VPC is where a function's network interfaces are.
type VPC struct {
	Subnets        []string `toml:"subnets"`
	SecurityGroups []string `toml:"security_groups"`
	IPv6           bool     `toml:"ipv6"`
}

// Logging is a function's LoggingConfig.
type Logging struct {
	Format           string `toml:"format"` // Text or JSON
	ApplicationLevel string `toml:"application_level"`
	SystemLevel      string `toml:"system_level"`
	Group            string `toml:"group"`
}

// ReadSettings reads the lamb.toml in dir; a folder without one has empty
// Settings. What lamb does not know is an error that names it.
func ReadSettings(dir string) (Settings, error) {
	var s Settings
	b, err := os.ReadFile(filepath.Join(dir, SettingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	meta, err := toml.Decode(string(b), &s)
	if err != nil {
		if parse := (toml.ParseError{}); errors.As(err, &parse) {
			return s, fmt.Errorf("%s, line %d: %s", SettingsFile, parse.Position.Line, parse.Message)
		}
		return s, fmt.Errorf("%s: %s", SettingsFile, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return s, fmt.Errorf("%s: unknown setting %s", SettingsFile, unknownNames(unknown))
	}
	if err := s.check(meta.IsDefined); err != nil {
		return s, fmt.Errorf("%s: %w", SettingsFile, err)
	}
	if s.Architecture != "" && s.Architecture != X86 && s.Architecture != ARM {
		return s, fmt.Errorf("%s: architecture %q: use %s or %s", SettingsFile, s.Architecture, X86, ARM)
	}
	return s, nil
}

// check refuses what means nothing, and what a service says of other services
// only when it is asked.
func (s *Settings) check(given func(key ...string) bool) error {
	for _, n := range []struct {
		member string
		value  int
	}{{"timeout", s.Timeout}, {"memorySize", s.Memory}, {"ephemeralStorage.size", s.EphemeralStorage}} {
		if r := requirements[n.member]; n.value == 0 && given(r.setting) {
			return fmt.Errorf("%s = 0: must be %s", r.setting, r.must)
		}
	}
	if d := s.DeadLetters; d != "" && (!strings.HasPrefix(d, "arn:") || !strings.Contains(d, ":sqs:") && !strings.Contains(d, ":sns:")) {
		r := requirements["deadLetterConfig.targetArn"]
		return fmt.Errorf("%s = %q: must be %s", r.setting, d, r.must)
	}
	if s.VPC == nil {
		return nil
	}
	for _, ids := range []struct {
		setting, prefix string
		given           []string
	}{{"subnets", "subnet-", s.VPC.Subnets}, {"security_groups", "sg-", s.VPC.SecurityGroups}} {
		for _, id := range ids.given {
			if !strings.HasPrefix(id, ids.prefix) {
				return fmt.Errorf("[vpc] %s: %q: must begin with %s", ids.setting, id, ids.prefix)
			}
		}
	}
	return nil
}

func unknownNames(keys []toml.Key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.String())
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
