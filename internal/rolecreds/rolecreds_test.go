package rolecreds

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/awsconfig"
	"github.com/lambhq/lamb/internal/clock/clocktest"
)

const role = "arn:aws:iam::000000000000:role/worker"

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// document is what a credential_process writes.
func document(key string, expires time.Time) string {
	end := ""
	if !expires.IsZero() {
		end = `,"Expiration":"` + expires.Format(time.RFC3339) + `"`
	}
	return `{"Version":1,"AccessKeyId":"` + key + `","SecretAccessKey":"the-secret","SessionToken":"the-token"` + end + `}`
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, mappings ...string) (*Sources, *clocktest.Fake) {
	t.Helper()
	c := clocktest.New(now)
	s, err := Parse(mappings, c)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	doc, shared := filepath.Join(dir, "doc"), filepath.Join(dir, "credentials")
	write(t, doc, document("FILE", time.Time{}))
	write(t, shared, "[default]\naws_access_key_id=NO\n# c\n[dev]\naws_access_key_id = PROFILE\naws_secret_access_key=the-secret\naws_session_token = the-token\n[other]\naws_access_key_id=NO\n")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", shared)
	t.Setenv("AWS_CONFIG_FILE", dir+"/none")
	s, _ := parse(t, role+"=file:"+doc, role+"2=profile:dev", "*=command:cat "+doc)
	for arn, want := range map[string]string{role: "FILE", role + "2": "PROFILE", "arn:other": "FILE"} {
		got, ok, err := s.Get(t.Context(), arn)
		if err != nil || !ok || got != (Credentials{AccessKeyID: want, SecretAccessKey: "the-secret", SessionToken: "the-token"}) {
			t.Errorf("%s: %q %q %q, %v, %v", arn, got.AccessKeyID, got.SecretAccessKey, got.SessionToken, ok, err)
		}
	}
	s, _ = parse(t, role+"=file:"+doc)
	if _, ok, err := s.Get(t.Context(), "arn:other"); ok || err != nil {
		t.Errorf("a role without a source: %v, %v", ok, err)
	}
	if _, ok, err := (*Sources)(nil).Get(t.Context(), role); ok || err != nil {
		t.Errorf("no sources: %v, %v", ok, err)
	}
}

// TestRenewal: what expires is kept until shortly before; what does not is
// asked for every time.
func TestRenewal(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "doc")
	s, c := parse(t, role+"=file:"+doc)
	expect := func(want string) {
		t.Helper()
		if got, _, err := s.Get(t.Context(), role); got.AccessKeyID != want || err != nil {
			t.Errorf("%q, %v, want %q", got.AccessKeyID, err, want)
		}
	}
	write(t, doc, document("ONE", time.Time{}))
	expect("ONE")
	write(t, doc, document("TWO", now.Add(time.Hour)))
	expect("TWO")
	write(t, doc, document("THREE", now.Add(2*time.Hour)))
	expect("TWO")
	c.Advance(time.Hour - awsconfig.RenewBefore)
	expect("THREE")
	c.Advance(2 * time.Hour)
	if _, ok, err := s.Get(t.Context(), role); !ok || err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired credentials: %v, %v", ok, err)
	}
}

// TestErrors say what is wrong and nothing of what was given.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	for text, want := range map[string]string{
		`the-secret`:                       "not JSON",
		`{"SecretAccessKey":"the-secret"}`: "no access key",
		`{"AccessKeyId":"a"}`:              "no access key",
		`{"Expiration":"the-secret"}`:      "not JSON",
		"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"the-secret\\n\"}": "line break",
	} {
		write(t, bad, text)
		for _, source := range []string{"file:" + bad, "command:cat " + bad} {
			s, _ := parse(t, role+"="+source)
			_, ok, err := s.Get(t.Context(), role)
			if !ok || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "the-secret") {
				t.Errorf("%s from %s: %v, %v", text, source, ok, err)
			}
		}
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", bad)
	t.Setenv("AWS_CONFIG_FILE", dir+"/none")
	for _, source := range []string{"file:" + dir + "/none", "command:" + dir + "/none", "command:false", "profile:none"} {
		s, _ := parse(t, role+"="+source)
		if _, ok, err := s.Get(t.Context(), role); !ok || err == nil {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
	for _, mapping := range []string{"", "x", "worker=file:x", role + "=", role + "=file:", role + "=ftp:x", role + "=file"} {
		if _, err := Parse([]string{mapping}, nil); err == nil {
			t.Errorf("%q was taken", mapping)
		}
	}
	if _, err := Parse([]string{"*=file:a", "*=file:b"}, nil); err == nil {
		t.Error("two sources of a role were taken")
	}
}
