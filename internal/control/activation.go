package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// The reason codes of this installation.
const (
	codeCreating      = "Creating"
	codeInternalError = "InternalError"
	codeInvalidZip    = "InvalidZipFileException"
)

// creating is the reason of everything unfinished, updates included.
var creating = function.Reason{Text: "The function is being created.", Code: codeCreating}

// An ActivationError says why a version cannot be run, in words for its owner.
type ActivationError struct {
	// Reason is what the record will tell; Code is one of AWS's state reason
	// codes, such as "InvalidRuntime".
	Reason function.Reason
	Err    error // may be nil
}

func (e *ActivationError) Error() string {
	if e.Err == nil {
		return e.Reason.Text
	}
	return e.Reason.Text + ": " + e.Err.Error()
}

func (e *ActivationError) Unwrap() error { return e.Err }

// maxActivations bounds the versions that are prepared at the same time.
const maxActivations = 4

// errClosed is the cause with which Close ends the worker.
var errClosed = errors.New("control is closed")

// Start starts the activation worker, which first drives to an end what an
// earlier process left unfinished. It must be called once, and before Close.
func (c *Control) Start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	c.cancel = cancel
	c.wake()
	c.worker.Go(func() { c.activateAll(ctx) })
}

// Close stops the worker and waits for it. What it has not finished stays
// unfinished in the store, for the next Start. Operations after Close answer,
// but nothing becomes active.
func (c *Control) Close() {
	c.cancel(errClosed)
	c.worker.Wait()
}

// wake tells the worker that the store has something unfinished.
func (c *Control) wake() {
	select {
	case c.work <- struct{}{}:
	default: // a token is waiting; it stands for this one as well
	}
}

// activateAll is the worker: it looks for unfinished records whenever it is
// woken, and has up to maxActivations of them prepared at a time.
func (c *Control) activateAll(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, maxActivations)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.work:
		}
		list, err := c.store.Unfinished(ctx)
		if err != nil {
			c.tryAgain(ctx, fmt.Errorf("list unfinished versions: %w", err))
			continue
		}
		for _, v := range list {
			if !c.begin(v) {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case slots <- struct{}{}:
			}
			running.Go(func() {
				err := c.bringToEnd(ctx, v)
				<-slots
				c.end(v)
				if err != nil {
					c.tryAgain(ctx, err)
				}
			})
		}
	}
}

// begin claims the record of a revision for one activation. It is false when
// it is claimed.
func (c *Control) begin(v *function.Version) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.activating[v.RevisionID] {
		return false
	}
	c.activating[v.RevisionID] = true
	return true
}

func (c *Control) end(v *function.Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.activating, v.RevisionID)
}

// tryAgain wakes the worker after a pause: the store has failed, and records
// would stay unfinished for ever. There is nobody to return the error to.
func (c *Control) tryAgain(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	c.log.LogAttrs(ctx, slog.LevelError, "cannot finish updates; will try again", slog.Any("error", err))
	timer := c.clock.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C():
		c.wake()
	}
}

// bringToEnd activates v and records how that went. It returns the errors of
// the store; those of v end in its record.
func (c *Control) bringToEnd(ctx context.Context, v *function.Version) error {
	failure := c.activate(ctx, v)
	if ctx.Err() != nil || errors.Is(failure, artifact.ErrClosed) {
		return nil // shutting down, which is no fault of v: the next start goes on
	}
	if err := c.finish(ctx, v, failure); err != nil {
		return fmt.Errorf("finish %s: %w", v.Key.QualifiedARN(v.Version), err)
	}
	return nil
}

// activate makes sure that v can be run: its code and its layers are there,
// intact and unpacked, and whatever else Config.Activate asks for.
func (c *Control) activate(ctx context.Context, v *function.Version) error {
	tree, err := c.artifacts.Tree(ctx, v.Code.SHA256)
	if err != nil {
		return archiveFailure("The function's code is missing or damaged. Please upload it again.", err)
	}
	tree.Release() // it stays, and can be made again from the zip
	run := function.Content{Code: v.Code, Config: v.Config}
	if digests := run.LayerDigests(); len(digests) > 0 {
		layers, err := c.artifacts.Layers(ctx, digests)
		if err != nil {
			return archiveFailure("A layer of the function is missing or damaged, or its layers do not go together.", err)
		}
		layers.Release()
	}
	if c.prepare == nil {
		return nil
	}
	return c.prepare(ctx, v)
}

// archiveFailure tells the owner text when an archive is at fault.
func archiveFailure(text string, err error) error {
	switch {
	case errors.Is(err, artifact.ErrNotFound), errors.Is(err, artifact.ErrCorrupt), errors.Is(err, artifact.ErrBadZip):
		return &ActivationError{Reason: function.Reason{Text: text, Code: codeInvalidZip}, Err: err}
	default:
		return fmt.Errorf("unpack the code: %w", err)
	}
}

// finish records the end of v's creation or update, unless the record has
// changed since it was read: then it is gone, or another turn's business.
func (c *Control) finish(ctx context.Context, v *function.Version, failure error) error {
	if failure != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "function cannot be activated",
			slog.String("function", v.Key.QualifiedARN(v.Version)), slog.Any("error", failure))
	}
	next := activated(v)
	if failure != nil {
		next = failed(v, reasonOf(failure))
	}
	next.RevisionID = function.NewRevisionID()
	err := c.store.Update(ctx, func(tx *store.Tx) error { return tx.Replace(next, v.RevisionID) })
	if errors.Is(err, store.ErrConflict) {
		c.wake()
		return nil
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted meanwhile
	}
	return err
}

func activated(v *function.Version) *function.Version {
	next := *v
	next.State, next.StateReason = function.StateActive, function.Reason{}
	next.LastUpdate, next.LastUpdateReason = function.UpdateSuccessful, function.Reason{}
	next.Config.Kept.Serving = nil
	return &next
}

func failed(v *function.Version, reason function.Reason) *function.Version {
	next := *v
	if v.State != function.StateActive {
		next.State, next.StateReason = function.StateFailed, reason
	}
	// Also for a creation: who waits for LastUpdateStatus must see an end.
	next.LastUpdate, next.LastUpdateReason = function.UpdateFailed, reason
	return &next
}

func reasonOf(err error) function.Reason {
	var known *ActivationError
	if errors.As(err, &known) {
		return known.Reason
	}
	return function.Reason{
		Text: "Lambda could not prepare the function: an internal error occurred. See the server's log.",
		Code: codeInternalError,
	}
}
