package server

import (
	"net"
	"testing"

	"github.com/lambhq/lamb/internal/function"
)

func TestFunctionURL(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing in it
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	u := &function.URL{Key: function.Key{Region: "eu-west-1", Name: "f"}, ID: "abc"}
	for domain, want := range map[string]string{
		"localhost":         "http://abc.lambda-url.eu-west-1.localhost:" + port + "/",
		"urls.example:8443": "http://abc.lambda-url.eu-west-1.urls.example:8443/",
	} {
		s := &Server{cfg: Config{URLDomain: domain}, listener: l}
		if got := s.functionURL(u); got != want {
			t.Errorf("domain %s: %s, want %s", domain, got, want)
		}
	}
	for domain, ok := range map[string]bool{
		"localhost": true, "urls.Example-1.test": true, "a.b:80": true, "": false, "a..b": false, "a b": false, "a/b": false, "a:0": false, "a:x": false, "a:70000": false,
	} {
		if err := checkURLDomain(domain); (err == nil) != ok {
			t.Errorf("domain %q: %v", domain, err)
		}
	}
}
