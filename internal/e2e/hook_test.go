package e2e

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// hook is a place that functions call: the test learns that they are there,
// and they go on when the test says so.
type hook struct {
	URL     string        // as the functions of one lamb reach it
	arrived chan struct{} // has a token for each call that has come
	release chan struct{} // closed to let them all go on
	once    sync.Once
}

func newHook(t testing.TB, l *lamb) *hook {
	t.Helper()
	h := &hook{arrived: make(chan struct{}, 1000), release: make(chan struct{})}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.arrived <- struct{}{}
		select {
		case <-h.release:
		case <-r.Context().Done(): // the function has gone
		}
	}))
	t.Cleanup(func() {
		h.letGo()
		s.CloseClientConnections()
		s.Close()
	})
	h.URL = l.inside(t, s.URL)
	return h
}

func (h *hook) letGo() { h.once.Do(func() { close(h.release) }) }

// await waits until n calls are there.
func (h *hook) await(t testing.TB, n int) {
	t.Helper()
	timeout := time.After(patience)
	for i := range n {
		select {
		case <-h.arrived:
		case <-timeout:
			t.Fatalf("only %d of %d functions have called", i, n)
		}
	}
}
