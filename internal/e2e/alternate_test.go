package e2e

import "testing"

// TestAlternating has a client call two functions in turn where only one
// invocation may be in flight: it has its answer before that counts as over,
// and is not throttled for it.
func TestAlternating(t *testing.T) {
	t.Parallel()
	l := startLamb(t, "--concurrency", "1")
	names := []string{l.goFn(t, "alternating-a", "echo"), l.goFn(t, "alternating-b", "echo")}
	for i := range 200 {
		if p := l.invoke(t, names[i%2], `"mine"`).succeeded(t); p != `"mine"` {
			t.Fatalf("payload %s", p)
		}
	}
}
