package awsconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// question is what testdata/find.py is asked.
type question struct {
	Env      map[string]string `json:"env"`
	Profile  string            `json:"profile"`
	Services []string          `json:"services,omitempty"`
	Region   string            `json:"region"`
	INI      string            `json:"ini,omitempty"`
}

type botocoreAnswer struct {
	Region      string
	Credentials []string
	Endpoints   map[string][]string
	INI         map[string]map[string]any
	Error       string
}

// askBotocore asks the library that the AWS CLI is made of. It skips the test
// where there is none that knows all of today's settings.
func askBotocore(t *testing.T, home string, questions []question) []botocoreAnswer {
	t.Helper()
	const knows = "b = __import__('botocore').__version__.split('.'); assert (int(b[0]), int(b[1])) >= (1, 40), b"
	candidates := []string{"python3", "/usr/bin/python3"}
	if pyenv, err := os.UserHomeDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(pyenv, ".pyenv", "versions", "*", "bin", "python3")) // the pattern is right
		candidates = append(candidates, found...)
	}
	for _, python := range candidates {
		if exec.Command(python, "-c", knows).Run() != nil {
			continue
		}
		in, err := json.Marshal(questions)
		if err != nil {
			t.Fatal(err)
		}
		// A version manager's shim needs the real HOME to find its interpreter.
		where, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(strings.TrimSpace(string(where)), "testdata/find.py")
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Version string
			Answers []botocoreAnswer
		}
		if err := json.Unmarshal(out, &said); err != nil {
			t.Fatal(err)
		}
		t.Logf("botocore %s", said.Version)
		return said.Answers
	}
	t.Skip("no Python interpreter here has botocore 1.40 or later")
	return nil
}

// TestScenariosWithBotocore: on the machine of every scenario, botocore finds what
// the table says, or fails too.
func TestScenariosWithBotocore(t *testing.T) {
	h := newHome(t, newWorld(t))
	var questions []question
	for n, s := range scenarios {
		questions = append(questions, question{Env: h.env(n, s), Profile: s.profile})
	}
	compared := 0
	for n, got := range askBotocore(t, h.dir, questions) {
		s := scenarios[n]
		if s.apart != "" {
			continue
		}
		compared++
		if s.wantErr != "" {
			if got.Error == "" {
				t.Errorf("%s: botocore finds %q", s.name, got.Credentials)
			}
			continue
		}
		key, token, _ := strings.Cut(s.want, " ")
		if diff := cmp.Diff(got, botocoreAnswer{Region: s.wantRegion, Credentials: []string{key, secrets[key], token}}); diff != "" {
			t.Errorf("%s: botocore: %s", s.name, diff)
		}
	}
	if compared < 70 {
		t.Errorf("only %d scenarios were compared", compared)
	}
}

// services are those that lamb calls, by botocore's names.
var services = map[string]Service{"lambda": Lambda, "iam": IAM, "sts": STS, "logs": Logs, "sso": SSO, "sso-oidc": ssoOIDC}

// TestEndpointsWithBotocore: the same URLs in all partitions, and wherever URLs can
// be set.
func TestEndpointsWithBotocore(t *testing.T) {
	h := home{t.TempDir(), ""}
	const section = "[services dev]\nlambda =\n  endpoint_url = http://in-services\ncloudwatch_logs =\n  endpoint_url = http://logs/below/\n"
	h.write(t, "services", "[default]\nservices = dev\nendpoint_url = http://in-profile\n[profile off]\nservices = dev\nignore_configured_endpoint_urls = true\n[profile lost]\nservices = none\n"+section)
	var questions []question
	ask := func(region, profile string, env map[string]string, of ...string) {
		env["HOME"], env["AWS_CONFIG_FILE"] = h.dir, filepath.Join(h.dir, env["AWS_CONFIG_FILE"])
		questions = append(questions, question{Env: env, Profile: profile, Region: region, Services: of})
	}
	most := []string{"lambda", "iam", "sts", "logs"}
	for _, region := range []string{"us-east-1", "eu-west-1", "ap-southeast-5", "cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1"} {
		ask(region, "", map[string]string{}, most...)
	}
	ask("eu-west-1", "", map[string]string{}, "sso", "sso-oidc")
	ask("", "", map[string]string{}, "sts")
	ask("eu-west-1", "", map[string]string{"AWS_CONFIG_FILE": "services"}, most...)
	ask("eu-west-1", "", map[string]string{"AWS_CONFIG_FILE": "services", "AWS_ENDPOINT_URL": "http://all"}, most...)
	ask("eu-west-1", "", map[string]string{"AWS_CONFIG_FILE": "services", "AWS_ENDPOINT_URL_LAMBDA": "http://one", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://two"}, most...)
	ask("eu-west-1", "", map[string]string{"AWS_CONFIG_FILE": "services", "AWS_ENDPOINT_URL": "http://all", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, most...)
	ask("eu-west-1", "off", map[string]string{"AWS_CONFIG_FILE": "services"}, most...)
	ask("eu-west-1", "lost", map[string]string{"AWS_CONFIG_FILE": "services"}, "lambda")
	ask("eu-west-1", "", map[string]string{"AWS_ENDPOINT_URL": "the-secret"}, "lambda")
	answers := askBotocore(t, h.dir, questions)
	for n, q := range questions {
		c, err := Load(Options{Profile: q.Profile, Env: func(k string) string { return q.Env[k] }})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range q.Services {
			base, signed, err := c.Endpoint(services[name], q.Region)
			if (err != nil) != (answers[n].Error != "") {
				t.Errorf("%s in %q with %v: %v; botocore: %s", name, q.Region, q.Env, err, answers[n].Error)
			}
			if err != nil {
				if strings.Contains(err.Error(), "the-secret") {
					t.Error(err)
				}
				continue
			}
			// botocore keeps a slash at the end, and calls IAM's only region aws-global.
			want := answers[n].Endpoints[name]
			if base != strings.TrimSuffix(want[0], "/") || signed != want[1] && !strings.HasSuffix(want[1], "-global") {
				t.Errorf("%s in %q of %q with %v: %s, signed for %s; botocore: %s", name, q.Region, q.Profile, q.Env, base, signed, want)
			}
		}
	}
}

// randomINI makes a file of what confuses readers.
func randomINI(r *rand.Rand) string {
	pieces := []string{
		"[default]\n", "[profile a]\n", "[ b ]\n", "[c] x\n", "[d]]\n", "[DEFAULT]\n", "[]\n", "k = v\n", "K: v = w\n", "l=\n", "m =\n  n = o\n",
		"  p = q\n", "    r\n", "\n", "  \n", "# c\n", "  ; c\n", "s = t # u\n", "\tv\t=\tw\n", "x = y\r\n", "=z\n", "a b = c\n", "e = [f]\n", " [g]\n", "h\n", "i = j = k : l\n", "n = \"o\"\n",
	}
	var b strings.Builder
	b.WriteString("[first]\n")
	for range r.IntN(12) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// TestINIWithBotocore: files of random lines say the same to both.
func TestINIWithBotocore(t *testing.T) {
	const seed = 7
	r, dir := rand.New(rand.NewPCG(seed, seed)), t.TempDir()
	var texts []string
	var questions []question
	for n := range 2000 {
		text, path := randomINI(r), filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		texts, questions = append(texts, text), append(questions, question{INI: path})
	}
	same := 0
	for n, theirs := range askBotocore(t, dir, questions) {
		ours, err := parseINI("p", []byte(texts[n]))
		switch {
		case theirs.Error != "":
			if err == nil {
				t.Errorf("%q: we read %v; botocore: %s", texts[n], flat(ours), theirs.Error)
			}
		case err != nil:
			t.Errorf("%q: %v; botocore reads %v", texts[n], err, theirs.INI)
		default:
			same++
			if diff := cmp.Diff(theirs.INI, flat(ours)); diff != "" {
				t.Errorf("%q: %s", texts[n], diff)
			}
		}
	}
	if same < 500 {
		t.Errorf("only %d files were read by both", same)
	}
}
