package control

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// PublishVersion makes an immutable version of $LATEST, or returns the last
// one if nothing has changed since.
func (c *Control) PublishVersion(ctx context.Context, in *api.PublishVersionRequest) (*api.FunctionConfiguration, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, publishToUnsupported()
	}
	room, err := c.room(ctx, ref.Key.Scope())
	if err != nil {
		return nil, err
	}
	var version *function.Version
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		latest, err := getLatest(tx, ref)
		if err != nil {
			return err
		}
		if err := checkPublishable(latest, in); err != nil {
			return err
		}
		version, err = publish(tx, latest, in.Description, room)
		return err
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	if version.State == function.StatePending {
		c.wake()
	}
	return configuration(version, version.Version), nil
}

func checkPublishable(latest *function.Version, in *api.PublishVersionRequest) error {
	if err := checkChangeable(latest, in.RevisionId); err != nil {
		return err
	}
	if latest.State != function.StateActive {
		return resourceConflict("The operation cannot be performed at this time. " +
			"The function is currently in the following state: " + string(latest.State))
	}
	if given := api.Value(in.CodeSha256); given != "" && given != codeSHA256(latest.Code) {
		return invalidParameter(fmt.Sprintf("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). "+
			"Please try again with the CodeSHA256 in $LATEST.", given, codeSHA256(latest.Code)))
	}
	return nil
}

// publish makes the next version, or finds that the last one is the same. A
// new one changes the revision of latest as well.
func publish(tx *store.Tx, latest *function.Version, description *string, room room) (*function.Version, error) {
	if last, err := lastSame(tx, latest); err != nil || last != nil {
		return last, err
	}
	if err := room.check(latest.Code.Size); err != nil {
		return nil, err
	}
	v, err := nextVersion(tx, latest)
	if err != nil {
		return nil, err
	}
	if description != nil {
		v.Config.Description = *description
	}
	if err := tx.Insert(v); err != nil {
		return nil, err
	}
	touched := *latest
	touched.RevisionID = function.NewRevisionID()
	if err := tx.Replace(&touched, latest.RevisionID); err != nil {
		return nil, err
	}
	return v, nil
}

// publishPending makes the next version of latest, a record that this
// transaction has made and that is not active yet: so is the version. It too
// finds the last one if that is the same.
func publishPending(tx *store.Tx, latest *function.Version) (*function.Version, error) {
	if last, err := lastSame(tx, latest); err != nil || last != nil {
		return last, err
	}
	v, err := nextVersion(tx, latest)
	if err != nil {
		return nil, err
	}
	v.State, v.StateReason = function.StatePending, creating
	v.LastUpdate, v.LastUpdateReason = "", function.Reason{}
	return v, tx.Insert(v)
}

// lastSame returns the last published version if publishing latest would give
// the same again, and nil otherwise.
func lastSame(tx *store.Tx, latest *function.Version) (*function.Version, error) {
	last, err := tx.LastPublished(latest.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !sameContent(latest, last) {
		return nil, nil
	}
	return last, nil
}

// nextVersion is a copy of latest as the next published version, not yet
// inserted.
func nextVersion(tx *store.Tx, latest *function.Version) (*function.Version, error) {
	n, err := tx.NextVersion(latest.Key)
	if err != nil {
		return nil, err
	}
	v := *latest
	v.Version = strconv.Itoa(n)
	v.RevisionID = function.NewRevisionID()
	v.Config.Kept = function.Kept{SourceDescription: latest.Config.Description}
	if v.SnapStarts() { // until its init has been seen to succeed
		v.State, v.StateReason = function.StatePending, creating
	}
	return &v, nil
}

// sameContent tells whether publishing latest again would give the same
// version. Both come from the store, so equal values have equal forms.
func sameContent(latest, published *function.Version) bool {
	now, then := latest.Config, published.Config
	then.Description = then.Kept.SourceDescription
	now.Kept, then.Kept = function.Kept{}, function.Kept{}
	return latest.Code == published.Code && reflect.DeepEqual(now, then)
}

func publishToUnsupported() error {
	return invalidParameter("PublishTo is not supported: this installation has no managed instances.")
}
