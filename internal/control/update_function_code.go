package control

import (
	"context"
	"slices"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// UpdateFunctionCode gives $LATEST other code, and with Publish makes a
// version of it. What ran before runs until the new code is ready.
func (c *Control) UpdateFunctionCode(ctx context.Context, in *api.UpdateFunctionCodeRequest) (*api.FunctionConfiguration, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, publishToUnsupported()
	}
	// Before the archive is unpacked; the transaction below decides.
	current, err := c.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	if err := checkChangeable(current, in.RevisionId); err != nil {
		return nil, err
	}
	pinned, code, err := c.addCode(ctx, &api.FunctionCode{
		ZipFile:         in.ZipFile,
		S3Bucket:        in.S3Bucket,
		S3Key:           in.S3Key,
		S3ObjectVersion: in.S3ObjectVersion,
		ImageUri:        in.ImageUri,
		SourceKMSKeyArn: in.SourceKMSKeyArn,
	})
	if err != nil {
		return nil, err
	}
	defer pinned.Release()
	if err := checkUnzipped(withCode(current, code, in)); err != nil {
		return nil, err
	}
	room, err := c.room(ctx, ref.Key.Scope())
	if err != nil {
		return nil, err
	}
	if err := room.check(codeGrowth(current, code, api.Value(in.Publish))); err != nil {
		return nil, err
	}
	if api.Value(in.DryRun) {
		return configuration(withCode(current, code, in), ref.Qualifier), nil
	}
	return c.changeCode(ctx, ref, code, in)
}

func (c *Control) changeCode(
	ctx context.Context, ref function.Ref, code function.Code, in *api.UpdateFunctionCodeRequest,
) (*api.FunctionConfiguration, error) {
	var answer *function.Version
	qualifier := ref.Qualifier
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		latest, err := getLatest(tx, ref)
		if err != nil {
			return err
		}
		if err := checkChangeable(latest, in.RevisionId); err != nil {
			return err
		}
		next := c.updating(latest, withCode(latest, code, in))
		if err := checkUnzipped(next); err != nil {
			return err
		}
		if err := tx.Replace(next, latest.RevisionID); err != nil {
			return err
		}
		answer = next
		if api.Value(in.Publish) {
			answer, err = publishPending(tx, next)
			if err != nil {
				return err
			}
			qualifier = answer.Version
		}
		return nil
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	c.wake()
	return configuration(answer, qualifier), nil
}

// codeGrowth is how much more storage an update takes, in bytes.
func codeGrowth(current *function.Version, code function.Code, publish bool) int64 {
	growth := code.Size - current.Code.Size
	if publish {
		growth += code.Size
	}
	return growth
}

// withCode is a copy of v with other code, and what else the request brings.
func withCode(v *function.Version, code function.Code, in *api.UpdateFunctionCodeRequest) *function.Version {
	next := *v
	next.Code = code
	next.Config.SourceKMSKeyARN = api.Value(in.SourceKMSKeyArn)
	if in.Architectures != nil {
		next.Config.Architectures = slices.Clone(in.Architectures)
	}
	return &next
}

// updating makes next, a changed copy of latest, the record of an update that
// has begun.
func (c *Control) updating(latest, next *function.Version) *function.Version {
	next.RevisionID = function.NewRevisionID()
	next.LastModified = c.now()
	next.LastUpdate, next.LastUpdateReason = function.UpdateInProgress, creating
	next.Config.Kept.Serving = nil
	if latest.State == function.StateActive {
		next.Config.Kept.Serving = new(latest.Runs())
	}
	return next
}
