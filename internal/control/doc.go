// Package control owns the management operations: one file per operation,
// named after it. It decides what the API answers and what the records become;
// it runs nothing. The operations of api.Service that are not here are
// inherited from api.Unimplemented and answer 501.
//
// A function's life, as its records tell it (every arrow is a new revision id):
//
//	CreateFunction ─▶ Pending ──activation──▶ Active, Successful ─┐
//	                     └─ fails ─▶ Failed                       │
//	          ┌────────────────── update ◀────────────────────────┤
//	          ▼                                                   │
//	   Active, InProgress ──activation──▶ Active, Successful ─────┘
//	                     └─ fails ─▶ Active, Failed (what ran before still runs)
//
// An operation answers as soon as its record is committed; one goroutine of
// Control, between Start and Close, brings records from Pending and InProgress
// to their ends. It finds its work in the store alone, so what a crash left
// unfinished needs no treatment of its own.
package control
