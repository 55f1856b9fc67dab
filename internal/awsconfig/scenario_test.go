package awsconfig

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// answerMFA is who is asked for a device's code.
func answerMFA(context.Context, string) (string, error) { return "123456", nil }

// find loads what a scenario's machine says.
func find(t *testing.T, env map[string]string, profile string) (*Config, Credentials, error) {
	t.Helper()
	c, err := Load(Options{Profile: profile, MFA: answerMFA, Env: func(k string) string { return env[k] }})
	if err != nil {
		return &Config{}, Credentials{}, err
	}
	found, err := c.Credentials(t.Context())
	return c, found, err
}

// TestScenarios holds what is found to the table, and errors to saying where and
// no secret.
func TestScenarios(t *testing.T) {
	h := newHome(t, newWorld(t))
	for n, s := range scenarios {
		c, found, err := find(t, h.env(n, s), s.profile)
		if s.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), h.expand(s.wantErr)) || strings.Contains(err.Error(), "the-secret") {
				t.Errorf("%s: %v, want %q", s.name, err, s.wantErr)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if got := found.AccessKeyID + " " + found.SessionToken; got != s.want || found.SecretAccessKey != secrets[found.AccessKeyID] || c.Region != s.wantRegion {
			t.Errorf("%s: %q in %q, want %q in %q", s.name, got, c.Region, s.want, s.wantRegion)
		}
	}
}

// TestNoMFA: a role that wants a device's code says so where nobody can be asked.
func TestNoMFA(t *testing.T) {
	h := home{t.TempDir(), "http://127.0.0.1:1"}
	h.write(t, ".aws/config", "[default]\nregion = r\n"+role("a", "source_profile = default\nmfa_serial = arn:mfa")+keys)
	env := func(k string) string { return map[string]string{"HOME": h.dir}[k] }
	for _, tt := range []struct {
		mfa  func(context.Context, string) (string, error)
		want string
	}{
		{nil, "config:5: mfa_serial: role " + roleARN + "a wants the code of a device, and there is nobody to ask"},
		{func(context.Context, string) (string, error) { return "", errors.New("no terminal") }, "wants the code of a device: no terminal"},
	} {
		c, err := Load(Options{MFA: tt.mfa, Env: env})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
