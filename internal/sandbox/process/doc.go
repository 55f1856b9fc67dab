//go:build unix

// Package process runs functions as plain processes of the host, with no
// isolation at all: it is what every platform can do. It owns the sandboxes'
// working folders, the processes started in them, their output, and a
// loopback listener per sandbox.
//
// On Linux one small supervisor process per provider is the parent of every
// program:
//
//	lamb ──seqpacket socket──▶ supervisor (child subreaper) ──▶ program ──▶ …
//	  ▲                            │
//	  └──────── output pipes ──────┘ (passed as descriptors)
//
// It is lamb's own executable started a second time (see MaybeSupervise). It
// starts programs, reaps them and everything they leave behind, and ends
// every process of a sandbox on demand, also one that made its own session or
// daemonised. When lamb's end of the socket closes, for whatever reason, it
// kills everything that it ever started and exits: nothing outlives lamb, not
// even after kill -9. When the supervisor itself is killed, the kernel kills
// the programs (parent-death signal), lamb kills what they left, the
// sandboxes fail, and the next Create starts a new supervisor.
//
// Everywhere else (macOS), and on Linux in a program that does not call
// MaybeSupervise, programs are children of lamb in process groups of their
// own. Kill and Close end those groups, but a process that leaves its group
// escapes, and kill -9 of lamb leaves the programs running.
//
// What belongs to which sandbox, on Linux: the descendants of its programs by
// /proc, and those orphans that carry the sandbox's mark. The mark is the
// soft value of RLIMIT_LOCKS, a limit without any effect since Linux 2.4.25:
// it is inherited through fork and exec, every process has one, and neither
// the environment nor the descriptors of a function show it. An orphan that
// has changed its mark is killed with the first sandbox that is.
package process
