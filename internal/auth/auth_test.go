package auth

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeyring(t *testing.T) {
	var ring Keyring
	owner := Owner{Environment: "e1", Partition: "aws", Account: "123456789012", Region: "us-east-1", Name: "f", Access: AccessInvoke}
	a, b := ring.Mint(owner), ring.Mint(Owner{Environment: "e2"})
	if a.AccessKeyID == b.AccessKeyID || a.SecretAccessKey == b.SecretAccessKey || a.SessionToken == b.SessionToken {
		t.Errorf("two environments share credentials: %v %v", a, b)
	}
	if len(a.AccessKeyID) != 20 || !strings.HasPrefix(a.AccessKeyID, "ASIA") || len(a.SecretAccessKey) != 40 || len(a.SessionToken) < 64 {
		t.Errorf("credentials have an unusual form: %+v", a)
	}
	got, gotOwner, ok := ring.Lookup(a.AccessKeyID)
	if !ok || got != a {
		t.Errorf("Lookup = %v, %v", got, ok)
	}
	if diff := cmp.Diff(owner, gotOwner); diff != "" {
		t.Errorf("owner (-want +got):\n%s", diff)
	}

	ring.Revoke(a.AccessKeyID)
	ring.Revoke("unknown")
	if _, _, ok := ring.Lookup(a.AccessKeyID); ok {
		t.Error("revoked key is still there")
	}
	if !LooksMinted(a.AccessKeyID) {
		t.Error("revoked key no longer looks minted")
	}
	if _, _, ok := ring.Lookup(b.AccessKeyID); !ok {
		t.Error("other key went with it")
	}
	for _, stranger := range []string{"", "test", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "123456789012", "ASIALAMB"} {
		if LooksMinted(stranger) {
			t.Errorf("%q looks minted", stranger)
		}
	}
}

// TestAdopted: credentials of others are known for the environments that have
// them, and for no longer.
func TestAdopted(t *testing.T) {
	var k Keyring
	c := Credentials{AccessKeyID: "AKIAOTHERS0123456789", SecretAccessKey: "s"}
	if _, _, ok := k.LookupIn(c.AccessKeyID, ""); ok {
		t.Error("an unknown key is known")
	}
	k.Adopt(c, Owner{Environment: "a"})
	k.Adopt(c, Owner{Environment: "b"})
	for environment, want := range map[string]bool{"": true, "a": true, "b": true, "c": false} {
		got, owner, ok := k.LookupIn(c.AccessKeyID, environment)
		if ok != want || ok && (got != c || environment != "" && owner.Environment != environment) {
			t.Errorf("in %q: %v, %+v", environment, ok, owner)
		}
	}
	if _, _, ok := k.Lookup(c.AccessKeyID); ok {
		t.Error("Lookup is for minted ones")
	}
	k.Release("a")
	if _, owner, ok := k.LookupIn(c.AccessKeyID, ""); !ok || owner.Environment != "b" {
		t.Errorf("after the first is gone: %v, %+v", ok, owner)
	}
	k.Release("b")
	if _, _, ok := k.LookupIn(c.AccessKeyID, ""); ok {
		t.Error("it is known when all are gone")
	}
	own := k.Mint(Owner{Environment: "a"})
	if _, _, ok := k.LookupIn(own.AccessKeyID, "b"); ok {
		t.Error("a minted key is known in another environment")
	}
}

func TestKeyringConcurrent(t *testing.T) {
	var ring Keyring
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c := ring.Mint(Owner{})
				if _, _, ok := ring.Lookup(c.AccessKeyID); !ok {
					t.Error("minted key is not there")
				}
				ring.Revoke(c.AccessKeyID)
			}
		})
	}
	wg.Wait()
	if len(ring.keys) != 0 {
		t.Errorf("%d keys are left", len(ring.keys))
	}
}

func TestAccess(t *testing.T) {
	tests := []struct {
		access    Access
		operation string
		want      bool
	}{
		{AccessInvoke, "Invoke", true},
		{AccessInvoke, "InvokeAsync", true},
		{AccessInvoke, "InvokeWithResponseStream", true},
		{AccessInvoke, "CreateFunction", false},
		{AccessInvoke, "ListFunctions", false},
		{AccessInvoke, "", false},
		{AccessFull, "CreateFunction", true},
		{AccessNone, "Invoke", false},
		{"", "Invoke", false},
		{"Full", "Invoke", false},
	}
	for _, tt := range tests {
		if got := Allowed(tt.access, tt.operation); got != tt.want {
			t.Errorf("Allowed(%q, %s) = %v", tt.access, tt.operation, got)
		}
	}
	for _, s := range []string{"invoke", "full", "none"} {
		if a, err := ParseAccess(s); err != nil || string(a) != s {
			t.Errorf("ParseAccess(%q) = %q, %v", s, a, err)
		}
	}
	if _, err := ParseAccess("all"); err == nil {
		t.Error("ParseAccess takes all")
	}
}

func TestDenied(t *testing.T) {
	owner := Owner{Partition: "aws-cn", Account: "123456789012", Name: "f"}
	const arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:g"
	want := &Error{"AccessDeniedException", "User: arn:aws-cn:sts::123456789012:assumed-role/lamb-function/f is not authorized to perform: " +
		"lambda:InvokeFunction on resource: " + arn + " because no identity-based policy allows the lambda:InvokeFunction action"}
	if diff := cmp.Diff(want, Denied(owner, "InvokeWithResponseStream", arn)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScope(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "aws", "ap-southeast-4": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso",
		"us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
	} {
		if !ValidRegion(region) {
			t.Errorf("%s is not valid", region)
		}
		if got := Partition(region); got != want {
			t.Errorf("Partition(%s) = %s, want %s", region, got, want)
		}
	}
	for _, region := range []string{"", "us", "us-east", "us-east-", "us-east-x", "us-east-12", "US-EAST-1", "us-east-1-", "us--east-1", "us-x-east-1",
		"usa-east-1", "us-east-1/..", "-us-east-1", "us-iso1-east-1", "us-" + strings.Repeat("a", 64) + "-1"} {
		if ValidRegion(region) {
			t.Errorf("%q is valid", region)
		}
	}
	for key, want := range map[string]string{"123456789012": "123456789012", "12345678901": "000000000000", "test": "000000000000", "12345678901x": "000000000000"} {
		if got := Account(key, "000000000000"); got != want {
			t.Errorf("Account(%s) = %s", key, got)
		}
	}
	wantType(t, Signature{Service: "s3"}.CheckService(Service), "InvalidSignatureException")
	wantType(t, Signature{Service: "lambda"}.CheckService(Service), "")
}

func TestLinks(t *testing.T) {
	if _, err := NewLinks(make([]byte, 31)); err == nil {
		t.Error("a short key is taken")
	}
	links, err := NewLinks([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(links.Sign("/_lamb/code/a/b", now), "?")
	if path != "/_lamb/code/a/b" {
		t.Fatalf("path = %s", path)
	}
	other, _ := NewLinks([]byte(strings.Repeat("o", 32)))
	tests := []struct {
		name        string
		links       *Links
		path, query string
		at          time.Time
		want        error
	}{
		{"good", links, path, query, now, nil},
		{"at its end", links, path, query, now.Add(LinkLifetime), nil},
		{"too late", links, path, query, now.Add(LinkLifetime + time.Second), ErrLinkExpired},
		{"other path", links, path + "c", query, now, ErrLinkInvalid},
		{"other key", other, path, query, now, ErrLinkInvalid},
		{"other expiry", links, path, strings.Replace(query, "Expires=1", "Expires=2", 1), now, ErrLinkInvalid},
		{"no query", links, path, "", now, ErrLinkInvalid},
		{"no signature", links, path, strings.Split(query, "&")[0], now, ErrLinkInvalid},
		{"empty signature", links, path, strings.Split(query, "&")[0] + "&Signature=", now, ErrLinkInvalid},
		{"two expiries", links, path, query + "&Expires=1", now, ErrLinkInvalid},
		{"bad query", links, path, query + "&%zz", now, ErrLinkInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.links.Check(tt.path, tt.query, tt.at); !errors.Is(err, tt.want) {
				t.Errorf("Check = %v, want %v", err, tt.want)
			}
		})
	}
}
