package awsconfig

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/auth"
)

// secrets are those of the access keys that scenarios use, and the services of
// the world know.
var secrets = map[string]string{
	"AKENV": "the-secret-env", "AKKEYS": "the-secret-keys", "AKPROC": "the-secret-proc",
	"AKTASK": "the-secret-task", "AKINST": "the-secret-inst", "AKSSO": "the-secret-sso",
}

// world is a server that stands for AWS's services and for the metadata of
// containers and instances. What it gives says what it was asked, so that two
// that get the same have asked the same.
type world struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	asked []string // methods and paths, with STS's actions
	// faults are how often STS fails before it answers.
	faults int
	// noToken: the instance is too old for tokens.
	noToken bool
}

func newWorld(t *testing.T) *world {
	w := &world{t: t}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

const later = "2126-11-30T12:00:00Z"

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.Method+" "+r.URL.Path)
	status, answer := w.answer(r, body)
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, answer) // the client may have gone
}

func (w *world) answer(r *http.Request, body []byte) (int, string) {
	switch path := r.Method + " " + r.URL.Path; path {
	case "POST /":
		return w.sts(r, body)
	case "GET /federation/credentials":
		token := r.Header.Get("X-Amz-Sso_bearer_token")
		if token == "revoked" {
			return 401, `{"__type":"UnauthorizedException","message":"Session token not found or invalid"}`
		}
		return 200, fmt.Sprintf(`{"roleCredentials":{"accessKeyId":"AKSSO","secretAccessKey":%q,"sessionToken":"role=%s account=%s token=%s","expiration":4951094400000}}`,
			secrets["AKSSO"], r.URL.Query().Get("role_name"), r.URL.Query().Get("account_id"), token)
	case "POST /token":
		var ask map[string]string
		if json.Unmarshal(body, &ask) != nil || ask["grantType"] != "refresh_token" || ask["clientId"] != "c" || ask["clientSecret"] != "s" || ask["refreshToken"] != "r1" {
			return 400, `{"error":"invalid_grant","error_description":"no"}`
		}
		return 200, `{"accessToken":"renewed","tokenType":"Bearer","expiresIn":28800,"refreshToken":"r2"}`
	case "GET /task":
		return 200, metadata("AKTASK", "auth="+r.Header.Get("Authorization"))
	case "PUT /latest/api/token":
		if w.noToken {
			return 403, ""
		}
		return 200, "imds-token"
	case "GET " + rolesPath:
		if w.noToken || r.Header.Get("X-Aws-Ec2-Metadata-Token") == "imds-token" {
			return 200, "worker"
		}
		return 401, ""
	case "GET " + rolesPath + "worker":
		return 200, metadata("AKINST", "token="+r.Header.Get("X-Aws-Ec2-Metadata-Token"))
	}
	return 404, ""
}

func metadata(key, token string) string {
	return fmt.Sprintf(`{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q,"Expiration":%q}`, key, secrets[key], token, later)
}

// sts gives credentials whose token says who has asked for what; the key is
// AKKEYS again, so that they can take the next role.
func (w *world) sts(r *http.Request, body []byte) (int, string) {
	if w.faults > 0 {
		w.faults--
		return 503, "busy"
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if err := r.ParseForm(); err != nil {
		return 400, ""
	}
	action, by := r.Form.Get("Action"), "nobody"
	if action == "AssumeRole" {
		sig, err := auth.Parse(r)
		if err != nil {
			return 403, err.Error()
		}
		sum := sha256.Sum256(body)
		creds := auth.Credentials{AccessKeyID: sig.AccessKeyID, SecretAccessKey: secrets[sig.AccessKeyID], SessionToken: r.Header.Get("X-Amz-Security-Token")}
		if err := auth.Verify(r, sig, creds, hex.EncodeToString(sum[:]), time.Now()); err != nil {
			return 403, `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>` + err.Error() + `</Message></Error></ErrorResponse>`
		}
		by = fmt.Sprintf("%s(%s) in %s", sig.AccessKeyID, creds.SessionToken, sig.Region)
	}
	if r.Form.Get("RoleArn") == roleARN+"denied" {
		return 403, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>`
	}
	var params []string
	for key, values := range r.Form {
		made := key == "RoleSessionName" && (strings.HasPrefix(values[0], "lamb-") || strings.HasPrefix(values[0], "botocore-session-"))
		if !made && key != "Action" && key != "Version" {
			params = append(params, key+"="+strings.TrimPrefix(strings.Join(values, "+"), roleARN))
		}
	}
	slices.Sort(params)
	return 200, fmt.Sprintf(`<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>AKKEYS</AccessKeyId><SecretAccessKey>%[2]s</SecretAccessKey><SessionToken>%[3]s by %[4]s</SessionToken><Expiration>%[5]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		action, secrets["AKKEYS"], strings.Join(params, " "), by, later)
}

const roleARN = "arn:aws:iam::123456789012:role/"

// home is a user's folder with what the scenarios need.
type home struct{ dir, url string }

// env is a scenario's environment.
func (h home) env(n int, s scenario) map[string]string {
	env := map[string]string{
		"HOME": h.dir, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL_STS": h.url, "AWS_ENDPOINT_URL_SSO": h.url, "AWS_ENDPOINT_URL_SSO_OIDC": h.url,
		"AWS_CONFIG_FILE":             filepath.Join(h.dir, fmt.Sprint(n), "config"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(h.dir, fmt.Sprint(n), "credentials"),
	}
	for k, v := range s.env {
		env[k] = h.expand(v)
	}
	return env
}

func (h home) expand(s string) string {
	return strings.NewReplacer("$URL", h.url, "$HOME", h.dir).Replace(s)
}

func (h home) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(h.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(h.expand(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tokenFile is where the token of a session, or of a start URL, is.
func tokenFile(name string) string {
	sum := sha1.Sum([]byte(name))
	return filepath.Join(".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// newHome writes all that scenarios need.
func newHome(t *testing.T, w *world) home {
	t.Helper()
	h := home{t.TempDir(), w.URL}
	for n, s := range scenarios {
		h.write(t, fmt.Sprintf("%d/config", n), s.config)
		h.write(t, fmt.Sprintf("%d/credentials", n), s.credentials)
	}
	soon := time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339)
	for name, text := range map[string]string{
		"good":               `{"accessToken":"tok","expiresAt":"` + later + `"}`,
		"https://start/good": `{"accessToken":"old","expiresAt":"` + later + `"}`,
		"https://start/utc":  `{"accessToken":"utc","expiresAt":"` + strings.Replace(later, "Z", "UTC", 1) + `"}`,
		"soon": `{"accessToken":"tok","expiresAt":"` + soon + `","clientId":"c","clientSecret":"s","refreshToken":"r1",
			"registrationExpiresAt":"` + later + `","more":"kept"}`,
		"over":              `{"accessToken":"tok","expiresAt":"2020-01-01T00:00:00Z"}`,
		"https://start/old": `{"accessToken":"tok","expiresAt":"2020-01-01T00:00:00Z"}`,
		"revoked":           `{"accessToken":"revoked","expiresAt":"` + later + `"}`,
		"broken":            `the-secret`,
		"empty":             `{"accessToken":"the-secret"}`,
	} {
		h.write(t, tokenFile(name), text)
	}
	h.write(t, "token", "web-token")
	h.write(t, "broken-token", "the-secret\nx")
	h.write(t, "program.sh", `printf '{"Version":1,"AccessKeyId":"AKPROC","SecretAccessKey":"the-secret-proc","SessionToken":"args=%s"}' "$*"`)
	return h
}
