// Package gateway is the HTTP front door: the Lambda API, health, metrics and
// the links of Code.Location. It owns what holds for every request before an
// operation runs: the request id, who may reach lamb at all (Host and Origin),
// the signature, the size and the pace of bodies, the access log and the
// metrics. It knows operations only through package api.
//
// The order of the checks, each cheaper than the next or needed by it:
//
//	request id → host → origin ─┬→ /_lamb/…, /metrics
//	                            └→ signature's form → operation → minted key
//	                               and its access → body → signature in full
//	                               → decode → operation → encode → log
package gateway
