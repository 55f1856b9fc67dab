package deploy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lambhq/lamb/internal/awsclient"
)

// iamClient is a client of a server that stands for IAM and STS: it answers
// actions, and those that it does not have with NoSuchEntity.
func iamClient(t *testing.T, answers map[string]string) (c *awsclient.Client, asked *[]string) {
	t.Helper()
	dir := t.TempDir()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
	} {
		t.Setenv(k, v)
	}
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		action := form.Get("Action")
		if action == "" { // is it a lamb?
			w.WriteHeader(http.StatusNotFound)
			return
		}
		*asked = append(*asked, action+" "+form.Get("RoleName"))
		answer, known := answers[action]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			answer = "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no such thing</Message></Error></ErrorResponse>"
		}
		_, _ = io.WriteString(w, answer) // the client may have gone
	}))
	t.Cleanup(s.Close)
	c, err := awsclient.Open(context.Background(), awsclient.Options{Target: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c, asked
}

const (
	roleMade = "<R><CreateRoleResult><Role><Arn>arn:aws-cn:iam::123456789012:role/r</Arn></Role></CreateRoleResult></R>"
	roleIs   = "<R><GetRoleResult><Role><Arn>arn:aws:iam::123456789012:role/path/r</Arn></Role></GetRoleResult></R>"
	caller   = "<R><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws-cn:iam::123456789012:user/me</Arn></GetCallerIdentityResult></R>"
)

func TestRole(t *testing.T) {
	for _, tt := range []struct {
		name, role string
		answers    map[string]string
		arn        string // empty: an error
		made       bool
		asked      []string
	}{
		{name: "there", role: "r", answers: map[string]string{"GetRole": roleIs}, arn: "arn:aws:iam::123456789012:role/path/r", asked: []string{"GetRole r"}},
		{name: "an ARN", role: "arn:aws:iam::1:role/x", arn: "arn:aws:iam::1:role/x"},
		{name: "made", role: "", answers: map[string]string{"CreateRole": roleMade, "AttachRolePolicy": ""}, arn: "arn:aws-cn:iam::123456789012:role/r", made: true,
			asked: []string{"GetRole lamb-execution", "CreateRole lamb-execution", "AttachRolePolicy lamb-execution"}},
		{name: "half made", role: "r", answers: map[string]string{"CreateRole": roleMade, "DeleteRole": ""},
			asked: []string{"GetRole r", "CreateRole r", "AttachRolePolicy r", "DeleteRole r"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, asked := iamClient(t, tt.answers)
			arn, made, err := Role(t.Context(), c, tt.role)
			if arn != tt.arn || made != tt.made || (err == nil) != (tt.arn != "") {
				t.Errorf("%q, made %v, %v", arn, made, err)
			}
			if !slices.Equal(*asked, tt.asked) {
				t.Errorf("asked %q, want %q", *asked, tt.asked)
			}
		})
	}
}

// TestPlannedRole: a dry run makes no role, and asks who would have it.
func TestPlannedRole(t *testing.T) {
	c, asked := iamClient(t, map[string]string{"GetCallerIdentity": caller})
	arn, err := PlannedRole(t.Context(), c, "r")
	if err != nil || arn != "arn:aws-cn:iam::123456789012:role/r" {
		t.Errorf("%q, %v", arn, err)
	}
	if want := []string{"GetRole r", "GetCallerIdentity "}; !slices.Equal(*asked, want) {
		t.Errorf("asked %q, want %q", *asked, want)
	}
}
