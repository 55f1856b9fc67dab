package awsconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
)

// load loads what the default files below a folder say, with more variables.
func load(t *testing.T, h home, c *clocktest.Fake, env map[string]string) (*Config, error) {
	t.Helper()
	all := map[string]string{"HOME": h.dir, "AWS_EC2_METADATA_DISABLED": "true"}
	maps.Copy(all, env)
	o := Options{Env: func(k string) string { return all[k] }}
	if c != nil {
		o.Clock = c
	}
	return Load(o)
}

// TestDefaultFiles: the files are ~/.aws/config and ~/.aws/credentials, and the
// paths of others may begin with ~ and have variables.
func TestDefaultFiles(t *testing.T) {
	h := home{t.TempDir(), ""}
	h.write(t, ".aws/config", "[default]\nregion = r-config\n")
	h.write(t, ".aws/credentials", "[default]\n"+keys)
	h.write(t, "else/config", "[default]\nregion = r-else\n")
	for _, tt := range []struct{ file, want string }{{"", "r-config"}, {"~/else/config", "r-else"}, {"$HOME/else/config", "r-else"}, {"$NONE/config", ""}} {
		c, err := load(t, h, nil, map[string]string{"AWS_CONFIG_FILE": tt.file})
		if err != nil || c.Region != tt.want {
			t.Errorf("%q: %+v, %v", tt.file, c, err)
			continue
		}
		if found, err := c.Credentials(t.Context()); found.AccessKeyID != "AKKEYS" || err != nil {
			t.Errorf("%q: %q, %v", tt.file, found.AccessKeyID, err)
		}
	}
}

// TestLargeFile: a file that is no configuration is not read whole.
func TestLargeFile(t *testing.T) {
	h := home{t.TempDir(), ""}
	h.write(t, ".aws/config", "[default]\n"+strings.Repeat("# comment\n", maxFile/10))
	if _, err := load(t, h, nil, nil); err == nil || !strings.Contains(err.Error(), "config is larger than 1048576 bytes") {
		t.Error(err)
	}
}

// TestRenewal: what expires is kept until shortly before, and longer where it
// cannot be renewed.
func TestRenewal(t *testing.T) {
	h, now := home{t.TempDir(), ""}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h.write(t, ".aws/config", "[default]\ncredential_process = cat $HOME/doc\n")
	write := func(key string, end time.Time) {
		t.Helper()
		h.write(t, "doc", fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":"s","Expiration":%q}`, key, end.Format(time.RFC3339)))
	}
	clock := clocktest.New(now)
	c, err := load(t, h, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		if found, err := c.Credentials(t.Context()); found.AccessKeyID != want || err != nil {
			t.Errorf("%q, %v, want %q", found.AccessKeyID, err, want)
		}
	}
	write("ONE", now.Add(time.Hour))
	expect("ONE")
	write("TWO", now.Add(2*time.Hour))
	expect("ONE")
	clock.Advance(time.Hour - RenewBefore)
	expect("TWO")
	h.write(t, "doc", "")
	clock.Advance(time.Hour - time.Minute)
	expect("TWO")
	clock.Advance(time.Hour)
	if _, err := c.Credentials(t.Context()); err == nil {
		t.Error("expired credentials were given")
	}
}

// TestRenewedToken: a token of single sign-on that has been renewed is where the
// CLI finds it, with all else that was there.
func TestRenewedToken(t *testing.T) {
	w := newWorld(t)
	h := newHome(t, w)
	h.write(t, ".aws/config", "[default]\nsso_session = soon\nsso_account_id = 1\nsso_role_name = dev\n[sso-session soon]\nsso_start_url = https://start/\nsso_region = r\n")
	c, err := load(t, h, nil, map[string]string{"AWS_ENDPOINT_URL": w.URL})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := c.Credentials(t.Context()); err != nil || !strings.HasSuffix(found.SessionToken, "token=renewed") {
		t.Fatalf("%q, %v", found.SessionToken, err)
	}
	text, err := readFile(filepath.Join(h.dir, tokenFile("soon")))
	if err != nil {
		t.Fatal(err)
	}
	var kept map[string]string
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if end, err := parseTime(kept["expiresAt"]); err != nil || time.Until(end) < 7*time.Hour || kept["accessToken"] != "renewed" || kept["refreshToken"] != "r2" || kept["more"] != "kept" {
		t.Errorf("kept %v", kept)
	}
}

// TestFaults: services are asked again, and for a while only.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	h := newHome(t, w)
	h.write(t, ".aws/config", "[default]\nregion = eu-west-1\n"+role("w", "web_identity_token_file = $HOME/token"))
	for _, tt := range []struct {
		faults int
		want   string // of the error
	}{{attempts - 1, ""}, {attempts, "Service Unavailable (status 503)"}} {
		w.faults = tt.faults
		clock := clocktest.New(time.Now())
		c, err := load(t, h, clock, map[string]string{"AWS_ENDPOINT_URL": w.URL})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := c.Credentials(t.Context())
			done <- err
		}()
		for range attempts - 1 {
			clock.WaitTimers(1)
			clock.Advance(time.Second)
		}
		if err := <-done; err != nil != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d faults: %v", tt.faults, err)
		}
	}
}

// TestOldInstance: one that has no tokens is asked without, unless that is
// disabled.
func TestOldInstance(t *testing.T) {
	w := newWorld(t)
	w.noToken = true
	h := home{t.TempDir(), w.URL}
	env := map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": w.URL}
	c, err := load(t, h, nil, env)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := c.Credentials(t.Context()); err != nil || found.SessionToken != "token=" {
		t.Errorf("%q, %v", found.SessionToken, err)
	}
	env["AWS_EC2_METADATA_V1_DISABLED"] = "true"
	if c, err = load(t, h, nil, env); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "gives no token (status 403)") {
		t.Error(err)
	}
}

// TestStaleInstance: an instance whose service cannot renew gives what it has, and
// AWS takes it for a while.
func TestStaleInstance(t *testing.T) {
	w := newWorld(t)
	now, err := time.Parse(time.RFC3339, later)
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(t, home{t.TempDir(), w.URL}, clocktest.New(now.Add(time.Hour)), map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": w.URL})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := c.Credentials(t.Context()); found.AccessKeyID != "AKINST" || err != nil {
		t.Errorf("%q, %v", found.AccessKeyID, err)
	}
}

// TestTask: a relative address is one of the container's host.
func TestTask(t *testing.T) {
	w := newWorld(t)
	c, err := load(t, home{t.TempDir(), w.URL}, nil, map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/task"})
	if err != nil {
		t.Fatal(err)
	}
	if c.containerHost != "http://169.254.170.2" {
		t.Errorf("the host is %s", c.containerHost)
	}
	c.containerHost = w.URL
	if found, err := c.Credentials(t.Context()); found.AccessKeyID != "AKTASK" || err != nil {
		t.Errorf("%q, %v", found.AccessKeyID, err)
	}
}

// TestProfileAlone: a profile without credentials does not give those of the
// environment or the instance.
func TestProfileAlone(t *testing.T) {
	w := newWorld(t)
	h := home{t.TempDir(), w.URL}
	h.write(t, ".aws/config", "[default]\nregion = r\n[profile p]\n"+keys)
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env", "AWS_ROLE_ARN": roleARN + "w", "AWS_WEB_IDENTITY_TOKEN_FILE": "none",
		"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": w.URL,
	}
	c, err := load(t, h, nil, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ProfileCredentials(t.Context()); err == nil || !strings.Contains(err.Error(), `profile "default"`) {
		t.Error(err)
	}
	env["AWS_PROFILE"] = "p"
	if c, err = load(t, h, nil, env); err != nil {
		t.Fatal(err)
	}
	if found, err := c.ProfileCredentials(t.Context()); found.AccessKeyID != "AKKEYS" || err != nil {
		t.Errorf("%q, %v", found.AccessKeyID, err)
	}
}

// TestLogin: what 'aws login' has left, until it expires.
func TestLogin(t *testing.T) {
	h, now := home{t.TempDir(), ""}, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h.write(t, ".aws/config", "[default]\nlogin_session = arn:aws:iam::1:user/u\n")
	expect := func(key, wantErr string) {
		t.Helper()
		c, err := load(t, h, clocktest.New(now), nil)
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.Credentials(t.Context())
		if found.AccessKeyID != key || (err == nil) != (wantErr == "") || err != nil && (!strings.Contains(err.Error(), wantErr) || strings.Contains(err.Error(), "the-secret")) {
			t.Errorf("%q, %v, want %q, %q", found.AccessKeyID, err, key, wantErr)
		}
	}
	expect("", "log in with 'aws login --profile default'")
	sum := sha256.Sum256([]byte("arn:aws:iam::1:user/u"))
	file := ".aws/login/cache/" + hex.EncodeToString(sum[:]) + ".json"
	const doc = `{"accessToken":{"accessKeyId":"AK","secretAccessKey":"the-secret","sessionToken":"t","expiresAt":%q}}`
	h.write(t, file, fmt.Sprintf(doc, now.Add(time.Minute).Format(time.RFC3339)))
	expect("AK", "")
	h.write(t, file, fmt.Sprintf(doc, now.Format(time.RFC3339)))
	expect("", "has expired at 2026-11-30T12:00:00Z: log in with 'aws login")
	h.write(t, file, "the-secret")
	expect("", "its token is malformed")
}

// TestCABundle: only who the bundle vouches for is believed.
func TestCABundle(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	h := home{t.TempDir(), ""}
	h.write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	h.write(t, "none.pem", "the-secret")
	h.write(t, ".aws/config", "[default]\nca_bundle = $HOME/ca.pem\n")
	h.write(t, "empty", "")
	for _, tt := range []struct {
		file, bundle, want string // of Load's error
		trusted            bool
	}{
		{trusted: true},
		{file: "empty"},
		{file: "empty", bundle: "ca.pem", trusted: true},
		{bundle: "none.pem", want: "AWS_CA_BUNDLE: "},
		{bundle: "lost.pem", want: "AWS_CA_BUNDLE: open"},
	} {
		env := map[string]string{}
		if tt.file != "" {
			env["AWS_CONFIG_FILE"] = filepath.Join(h.dir, tt.file)
		}
		if tt.bundle != "" {
			env["AWS_CA_BUNDLE"] = filepath.Join(h.dir, tt.bundle)
		}
		c, err := load(t, h, nil, env)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "the-secret") {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		resp, err := c.HTTPClient().Get(s.URL)
		if (err == nil) != tt.trusted {
			t.Errorf("%+v: %v", tt, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		c.HTTPClient().CloseIdleConnections()
	}
}

// TestNeverPrinted: credentials that get into a log show nothing.
func TestNeverPrinted(t *testing.T) {
	c := Credentials{AccessKeyID: "the-key", SecretAccessKey: "the-secret", SessionToken: "the-token"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credentials", c, "list", []Credentials{c})
	if out := fmt.Sprintf("%v %+v %#v %s", c, c, &c, c) + log.String(); strings.Contains(out, "the-") {
		t.Errorf("%s", out)
	}
}
