package native

import (
	"testing"
	"time"
)

// AwaitPool waits until the pool is full.
func AwaitPool(t testing.TB, p *Provider) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for p.pool.ready() < p.pool.size {
		if time.Now().After(deadline) {
			t.Fatal("the pool is not filled")
		}
		time.Sleep(time.Millisecond)
	}
}
