package control

import (
	"context"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// The limits of tags. The lengths, in characters, are those of AWS's tagging
// standard; the service model has none.
const (
	maxTags        = 50
	maxTagKeyLen   = 128
	maxTagValueLen = 256
)

// newTags checks the tags that a function is to have; nil when there are none.
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

// parseTagged reads the ARN of what tags are put on. Of all that AWS tags there
// are only functions here: what else is asked for is missing.
func parseTagged(ctx context.Context, arn string) (function.Ref, error) {
	_, kind, _ := strings.Cut(arn, ":lambda:") // region, account, kind, name
	f := strings.SplitN(kind, ":", 4)
	if len(f) == 4 && f[2] != "function" {
		return function.Ref{}, noTagged(arn, f[2])
	}
	ref, err := parseRef(ctx, arn, nil)
	if err != nil {
		return ref, err
	}
	if ref.Qualifier != "" {
		return ref, invalidParameter("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return ref, nil
}

func noTagged(arn, kind string) error {
	switch kind {
	case "code-signing-config":
		return &api.ResourceNotFoundException{
			Message: "The Lambda code signing configuration " + arn + " can not be found.", Untyped: true,
		}
	case "capacity-provider":
		return resourceNotFound("Capacity provider not found: " + arn)
	}
	return noSuchResource()
}

// changeTags gives a function the tags that change makes of those it has.
func (c *Control) changeTags(ctx context.Context, ref function.Ref, change func(tags map[string]string)) error {
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		latest, err := getLatest(tx, ref)
		if err != nil {
			return err
		}
		if latest.LastUpdate == function.UpdateInProgress {
			return updateInProgress(ref.Key)
		}
		tags := maps.Clone(latest.Config.Kept.Tags)
		if tags == nil {
			tags = make(map[string]string)
		}
		change(tags)
		if tags, err = newTags(tags); err != nil {
			return err
		}
		next := *latest
		next.RevisionID = function.NewRevisionID()
		next.Config.Kept.Tags = tags
		return tx.Replace(&next, latest.RevisionID)
	})
	if err != nil {
		return storeError(ref.Key, err)
	}
	return nil
}
