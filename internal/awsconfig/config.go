package awsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/lambhq/lamb/internal/clock"
)

const defaultProfile = "default"

// Options say what wins over the environment and the files.
type Options struct {
	// Profile and Region may be empty. As with the CLI's --profile, a profile
	// that is named here also wins over keys in the environment.
	Profile, Region string
	// MFA asks somebody for the code of a device, for roles that want one. If it
	// is nil, such roles are an error.
	MFA func(ctx context.Context, serial string) (string, error)
	// Env reads environment variables; nil is os.Getenv.
	Env func(string) string
	// Clock is for what expires; nil is the system's.
	Clock clock.Clock
}

// Config is what has been found. It is safe for concurrent use.
type Config struct {
	// Profile is the name of the profile in use.
	Profile string
	// Region is empty where none is set.
	Region string

	env     func(string) string
	clock   clock.Clock
	mfa     func(context.Context, string) (string, error)
	files   *files
	profile section
	// named: Options named the profile.
	named bool
	// containerHost is where relative addresses of credentials lead.
	containerHost string

	client *http.Client // of AWS's services
	local  *http.Client // of containers' and instances' metadata

	mu   sync.Mutex // held by whoever looks for credentials
	last Credentials
}

// Load reads the environment and the files; it looks for no credentials yet.
// It is an error to name a profile that is in neither file.
func Load(o Options) (*Config, error) {
	c := &Config{env: o.Env, clock: o.Clock, mfa: o.MFA, named: o.Profile != "", containerHost: "http://169.254.170.2"}
	if c.env == nil {
		c.env = os.Getenv
	}
	if c.clock == nil {
		c.clock = clock.System
	}
	var err error
	c.files, err = readFiles(
		c.path(firstOf(c.env("AWS_CONFIG_FILE"), "~/.aws/config")),
		c.path(firstOf(c.env("AWS_SHARED_CREDENTIALS_FILE"), "~/.aws/credentials")))
	if err != nil {
		return nil, err
	}
	asked := firstOf(o.Profile, c.env("AWS_PROFILE"), c.env("AWS_DEFAULT_PROFILE"))
	c.Profile = firstOf(asked, defaultProfile)
	var found bool
	if c.profile, found = c.files.profiles[c.Profile]; !found && asked != "" {
		return nil, fmt.Errorf("there is no profile %q in %s or %s", asked, c.files.configPath, c.files.credentialsPath)
	}
	c.Region = firstOf(o.Region, c.env("AWS_REGION"), c.env("AWS_DEFAULT_REGION"), c.profile["region"].text)
	return c, c.makeClients()
}

// makeClients makes the clients. Metadata is never asked for by way of a proxy,
// and redirections from there are not followed.
func (c *Config) makeClients() error {
	c.local = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	c.client = &http.Client{Transport: transport}
	bundle, from := c.env("AWS_CA_BUNDLE"), "AWS_CA_BUNDLE"
	if bundle == "" {
		bundle, from = c.profile["ca_bundle"].text, c.profile["ca_bundle"].at+": ca_bundle"
	}
	if bundle == "" {
		return nil
	}
	text, err := readFile(c.path(bundle))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s: %s has no certificate in PEM", from, bundle)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return nil
}

// HTTPClient is the client to call AWS with: it trusts the CA bundle that the
// environment or the profile names.
func (c *Config) HTTPClient() *http.Client { return c.client }

// HasEnvironmentKeys reports whether the credentials will be keys in environment
// variables.
func (c *Config) HasEnvironmentKeys() bool {
	return !c.named && c.env("AWS_ACCESS_KEY_ID") != "" && c.env("AWS_SECRET_ACCESS_KEY") != ""
}

// truth reads a switch from a variable, or else from the profile.
func (c *Config) truth(variable, key string) bool {
	return strings.EqualFold(firstOf(c.env(variable), c.profile[key].text), "true")
}

func firstOf(given ...string) string {
	for _, s := range given {
		if s != "" {
			return s
		}
	}
	return ""
}
