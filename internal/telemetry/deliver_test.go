package telemetry

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHTTPDelivery: what happened before the subscription comes first, and a
// batch is one request.
func TestHTTPDelivery(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.InitStart(epoch, InitStart{InitializationType: OnDemand, Phase: PhaseInit})
	w.mustSubscribe(TelemetryAPI, "ext", httpBody)
	w.Line(epoch, function("hello"))
	w.expire(batchTimeout)

	p := await(t, got)
	if diff := cmp.Diff([]string{"platform.initStart", `"hello"`}, kinds(p.events)); diff != "" {
		t.Error(diff)
	}
	sum := sha256.Sum256(p.body)
	if p.method != "POST" || p.uri != "/events?x=1" || p.host != "sandbox.localdomain:4243" ||
		p.header.Get("Content-Type") != "application/json" ||
		p.header.Get("Sequence-Id") != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("request %s %s to %s with %v", p.method, p.uri, p.host, p.header)
	}
}

// TestTCPDelivery: the same, an event per line.
func TestTCPDelivery(t *testing.T) {
	ln := listen(t)
	w := newWorld(t, ln.Addr(), nil)
	w.InitStart(epoch, InitStart{InitializationType: OnDemand, Phase: PhaseInit})
	w.mustSubscribe(TelemetryAPI, "ext", tcpBody)
	w.Line(epoch, function("hel\nlo"))
	w.expire(batchTimeout)

	_, r := accept(t, ln)
	if diff := cmp.Diff([]string{"platform.initStart", `"hel\nlo"`}, kinds([]event{readEvent(t, r), readEvent(t, r)})); diff != "" {
		t.Error(diff)
	}
}
