package control

import (
	"maps"
	"strings"
	"unicode/utf8"
)

// The limits of tags. The lengths, in characters, are those of AWS's tagging
// standard; the service model has none.
const (
	maxTags        = 50
	maxTagKeyLen   = 128
	maxTagValueLen = 256
)

// newTags checks the tags of a new function; nil when there are none.
func newTags(tags map[string]string) (map[string]string, error) {
	if len(tags) > maxTags {
		return nil, invalidParameter("Number of tags exceeds resource tag limit.")
	}
	for key, value := range tags {
		if n := utf8.RuneCountInString(key); n == 0 || n > maxTagKeyLen {
			return nil, invalidParameter("The key of a tag must have 1 to 128 characters.")
		}
		if hasReservedPrefix(key) {
			return nil, invalidParameter("aws: prefixed tag key names are not allowed for external use.")
		}
		if utf8.RuneCountInString(value) > maxTagValueLen {
			return nil, invalidParameter("The value of a tag must have at most 256 characters.")
		}
	}
	if len(tags) == 0 {
		return nil, nil
	}
	return maps.Clone(tags), nil
}

// hasReservedPrefix tells whether a tag's key is one of those that only AWS
// itself sets; the case of its letters does not matter.
func hasReservedPrefix(key string) bool {
	const reserved = "aws:"
	return len(key) >= len(reserved) && strings.EqualFold(key[:len(reserved)], reserved)
}
