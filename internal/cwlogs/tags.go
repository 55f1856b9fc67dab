package cwlogs

import (
	"context"
	"errors"
	"maps"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return &Error{"TooManyTagsException", "The number of tags exceeds the limit of 50."}
	}
	for k, v := range tags {
		if k == "" || len(k) > 512 || len(v) > 1024 {
			return invalid("The tag key must have 1 to 128 characters, and the tag value at most 256.")
		}
	}
	return nil
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

type resourceInput struct {
	ResourceARN string            `json:"resourceArn"`
	Tags        map[string]string `json:"tags"`
	TagKeys     []string          `json:"tagKeys"`
}

func (s *Service) listTagsForResource(ctx context.Context, scope function.Scope, in *resourceInput) (any, error) {
	name, err := parseGroupARN(scope, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return s.tags(ctx, scope, name)
}

func (s *Service) listTagsLogGroup(ctx context.Context, scope function.Scope, in *nameInput) (any, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	return s.tags(ctx, scope, *in.LogGroupName)
}

func (s *Service) tags(ctx context.Context, scope function.Scope, name string) (any, error) {
	if _, err := s.find(ctx, scope, name); err != nil {
		return nil, err
	}
	out := tagsOutput{Tags: map[string]string{}}
	g, err := s.cfg.Records.LogGroup(ctx, scope, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil {
		maps.Copy(out.Tags, g.Tags)
	}
	return out, nil
}

func (s *Service) tagResource(ctx context.Context, scope function.Scope, in *resourceInput) (any, error) {
	name, err := parseGroupARN(scope, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	var refused error
	err = s.change(ctx, scope, name, func(g *store.LogGroup) {
		all := map[string]string{}
		maps.Copy(all, g.Tags)
		maps.Copy(all, in.Tags)
		if refused = checkTags(all); refused == nil {
			g.Tags = all
		}
	})
	return nil, errors.Join(err, refused)
}

func (s *Service) untagResource(ctx context.Context, scope function.Scope, in *resourceInput) (any, error) {
	name, err := parseGroupARN(scope, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return nil, s.change(ctx, scope, name, func(g *store.LogGroup) {
		for _, k := range in.TagKeys {
			delete(g.Tags, k)
		}
	})
}
