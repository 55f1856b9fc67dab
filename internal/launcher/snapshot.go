package launcher

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// initialization is why an environment of a version is made.
func initialization(v *function.Version) execenv.Initialization {
	switch {
	case v.Runs().Config.MaxConcurrency > 0:
		return execenv.Managed
	case v.SnapStarts():
		return execenv.SnapStart
	}
	return execenv.OnDemand
}

// Init implements pool.Environment: an environment that waits to be resumed
// after its init is resumed. An error of that (execenv.ErrRestoreHook and the
// like) means that it serves nobody.
func (e *environment) Init() (execenv.InitResult, error) {
	result, err := e.Environment.Init()
	if err != nil || e.resume == nil {
		return result, err
	}
	_, err = e.Restore(execenv.RestoreRequest{Credentials: *e.resume})
	return result, err
}

// Snapshot runs the init of a version with SnapStart as far as a snapshot would
// be taken, and ends the environment: lamb keeps no memory images yet, so it
// shows that the version can be resumed. The result is the init's; the error
// means that no environment could be made.
func (l *Launcher) Snapshot(ctx context.Context, v *function.Version) (execenv.InitResult, error) {
	e := &environment{}
	defer e.giveBack()
	if err := l.launch(ctx, v, initialization(v), e, func() {}); err != nil {
		return execenv.InitResult{}, fmt.Errorf("snapshot of %s: %w", v.Key.QualifiedARN(v.Version), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = e.Environment.Close() })
	defer stop()
	result, err := e.Environment.Init()
	if closed := e.Environment.Close(); err == nil {
		err = closed
	}
	return result, err
}
