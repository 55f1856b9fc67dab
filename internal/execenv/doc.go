// Package execenv owns one execution environment: its sandbox, its runtime
// process, the protocol state of the Runtime API and the invocation that is
// in flight. It implements envapi.Handler, never decides which environment
// serves a request (package pool does), and imports neither pool, invoke nor
// control.
//
// An environment moves through these phases:
//
//	         New
//	          │                         (SnapStart)
//	          │            ┌──Init──▶ RestoreReady ──Restore──▶ Restoring
//	          ▼            │                                       │ next
//	      Created ─────────┤             Invoke                    ▼
//	                       └─Init─▶ Ready ────────▶ Invoking ──next──▶ Ready
//	                  │              ▲                 │
//	    failed, 10 s  │              │ init again,     │ timeout, exit, Reset
//	                  ▼              │ in the invoke   ▼
//	              NeedsInit ─────────┴──◀────reset── Resetting
//
//	Shutdown and Close lead to Closed from every phase, a sandbox that is gone
//	and a failed restore to Broken, from where only Closed can be reached.
//	Reset leads from Ready and Invoking to NeedsInit. Reserve, in Ready and
//	NeedsInit, keeps the environment for one invocation; Clear gives that up.
//	Every other verb is refused with an IllegalMoveError.
//
// A failed init is not an error to the caller: the next invocation runs it
// again inside its own timeout (AWS calls this suppressed init); only if that
// fails too is its error the answer. After a timeout or an exit every process
// is killed, /tmp is kept, and the next invocation initialises again; so it
// does when the runtime ends while nothing runs.
//
// An init starts the external extensions, waits until each has registered,
// starts the runtime, and ends when the runtime and all extensions have asked
// for their first event. An invocation is over when the runtime and the
// extensions that were told of it have asked for the next. Before processes
// are killed, at a reset or at Close, they may end by themselves if there is
// an extension: the runtime by SIGTERM, external extensions by their SHUTDOWN
// event (shutdown.go has the budgets).
//
// In the concurrent mode (Config.MaxConcurrency, concurrent.go) the environment
// stays Ready: several invocations run at once and each is over when it is
// answered; nothing is frozen or reset, and a process that ends makes the
// environment useless.
//
// The caller has its answer when the runtime has posted it; the environment
// is released when the runtime asks for the next event (Config.Released).
// Events drive everything: connection goroutines of envapi, one timer per
// invocation, one goroutine per runtime process; mu guards the state and is
// never held while something blocks.
package execenv
