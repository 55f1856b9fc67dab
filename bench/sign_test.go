package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/auth"
)

// TestSign has lamb verify what is signed here.
func TestSign(t *testing.T) {
	for _, c := range []credentials{
		{Key: "AKIAEXAMPLE", Secret: "secret"},
		{Key: "ASIAEXAMPLE", Secret: "other secret", Token: "token"},
	} {
		for _, body := range []string{"", `{"a":1}`} {
			const path = functionsPath + "/raw/invocations"
			r := httptest.NewRequest("POST", path, bytes.NewReader([]byte(body)))
			r.Host = "127.0.0.1:3001"
			for name, value := range c.headers("POST", r.Host, path, []byte(body)) {
				r.Header.Set(name, value)
			}
			sig, err := auth.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			minted := auth.Credentials{AccessKeyID: c.Key, SecretAccessKey: c.Secret, SessionToken: c.Token}
			digest := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
			if err := auth.Verify(r, sig, minted, digest(body), time.Now()); err != nil {
				t.Errorf("%+v, %q: %v", c, body, err)
			}
			if err := auth.Verify(r, sig, minted, digest(body+" "), time.Now()); err == nil {
				t.Errorf("%+v: the signature holds for any body", c)
			}
		}
	}
}
