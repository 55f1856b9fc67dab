package cwlogs

import (
	"fmt"
	"strings"

	"github.com/lambhq/lamb/internal/function"
)

// maxName is the longest name of a group or stream, in characters.
const maxName = 512

const groupPattern = `[\.\-_/#A-Za-z0-9]+`

// checkGroupName refuses what cannot be the name of a group.
func checkGroupName(name *string) error {
	switch {
	case name == nil:
		return invalid("1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null")
	case *name == "":
		return invalid("1 validation error detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(*name) > maxName:
		return invalid(fmt.Sprintf("1 validation error detected: Value '%s' at 'logGroupName' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", *name, maxName))
	case strings.ContainsFunc(*name, func(r rune) bool { return !isGroupRune(r) }):
		return invalid(fmt.Sprintf("1 validation error detected: Value '%s' at 'logGroupName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: %s", *name, groupPattern))
	}
	return nil
}

func isGroupRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(`.-_/#`, r)
}

// groupIdentity is how an operation names a group: by its name, or as an
// identifier, which is a name or an ARN.
type groupIdentity struct {
	LogGroupName       *string `json:"logGroupName"`
	LogGroupIdentifier *string `json:"logGroupIdentifier"`
}

// name is the group's.
func (g groupIdentity) name(scope function.Scope) (string, error) {
	switch {
	case g.LogGroupName != nil && g.LogGroupIdentifier != nil:
		return "", invalid("LogGroupName and LogGroupIdentifier cannot both be specified.")
	case g.LogGroupIdentifier == nil:
		if err := checkGroupName(g.LogGroupName); err != nil {
			return "", err
		}
		return *g.LogGroupName, nil
	case strings.HasPrefix(*g.LogGroupIdentifier, "arn:"):
		return parseGroupARN(scope, *g.LogGroupIdentifier)
	}
	if err := checkGroupName(g.LogGroupIdentifier); err != nil {
		return "", err
	}
	return *g.LogGroupIdentifier, nil
}

// groupARN is a group's, without the ":*" that stands for its streams.
func groupARN(scope function.Scope, name string) string {
	return "arn:" + scope.Partition + ":logs:" + scope.Region + ":" + scope.Account + ":log-group:" + name
}

// parseGroupARN gives the name of a group in the caller's scope.
func parseGroupARN(scope function.Scope, arn string) (string, error) {
	name, ok := strings.CutPrefix(arn, groupARN(scope, ""))
	name = strings.TrimSuffix(name, ":*")
	if !ok || checkGroupName(&name) != nil {
		return "", noGroup()
	}
	return name, nil
}
