package server

import (
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
)

type fakeProvider struct {
	sandbox.Provider
	network string
}

func (p fakeProvider) Fingerprint() sandbox.Fingerprint {
	return sandbox.Fingerprint{Network: p.network}
}

func TestOtherEndpoint(t *testing.T) {
	for _, tt := range []struct{ network, given, want string }{
		{"host", "http://127.0.0.1:4566", "http://127.0.0.1:4566"},
		{"private", "http://127.0.0.1:4566", "http://host.lamb.internal:4566"},
		{"private", "https://localhost/x", "https://host.lamb.internal/x"},
		{"private", "http://[::1]:80", "http://host.lamb.internal:80"},
		{"private", "http://10.1.2.3:4566", "http://10.1.2.3:4566"},
		{"private", "", ""},
	} {
		s := &Server{cfg: Config{AWSEndpoint: tt.given}, sandboxes: fakeProvider{network: tt.network}}
		if got := s.otherEndpoint(); got != tt.want {
			t.Errorf("%s network, %q: got %q, want %q", tt.network, tt.given, got, tt.want)
		}
	}
}
