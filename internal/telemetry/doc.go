// Package telemetry owns the platform events of one execution environment and
// their way to the extensions that asked for them: the Telemetry API
// (2022-07-01) and the Logs API (2020-08-15). It knows nothing of processes,
// HTTP servers or phases: its owner tells it what happened (the methods of
// Hub), hands it the bodies of subscription requests (Hub.Subscribe) and says
// when the environment freezes, flushes and ends.
//
//	   emitters                       Hub (one lock)                owners, one per subscriber
//	Start, Report, ──▶ nobody wants it: dropped, a few ns
//	FunctionLog, …  ├▶ backlog, while subscribing is possible
//	                └▶ subscriber: bounded queue of batches ──▶ HTTP POST or TCP write
//
// A subscription has room for QueueFactor times its maxBytes beside the batch
// that is under way, and all subscriptions of a Hub together for Config.MaxBytes. What
// finds no room is dropped and counted; the subscriber learns the count from a
// platform.logsDropped before the next event that it gets. So an emitter never
// waits for a subscriber, whatever that one does: it holds the lock for the
// time of an encoding.
//
// The goroutines are one per subscriber, which connects, sends and retries,
// and one per open TCP connection, which notices that the other side closed
// it. Reset and Close end them all and wait for them.
package telemetry
