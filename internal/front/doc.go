// Package front takes the connections of lamb's public address and serves the
// requests of one hot shape, those that invoke a function, on a loop of its
// own. Everything else goes to net/http, with the connection, for good.
//
//	                    ┌─ a hot request ──▶ Handler, on this goroutine ─┐
//	accept ─▶ read head ┤            ▲───────────────────────────────────┘
//	                    └─ any other ──▶ Others (a listener for http.Server)
//
// The reason is what net/http does for a request besides calling its handler:
// a second goroutine that watches the connection, woken and stopped for every
// request. For an invocation of some tens of microseconds that is the largest
// part of the price (docs/benchmarks.md). A hot request is one whose head
// arrived whole and has nothing in it that needs more than a known length: what
// the SDKs send. Heads are parsed by net/http's own ReadRequest.
//
// A handler here sees two differences: the request's context does not end when
// the client goes away, and no Content-Type is guessed.
package front
