package awsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// DefaultLamb is where a lamb of this machine serves by default.
const DefaultLamb = "http://127.0.0.1:3001"

// DefaultRegion is the region of a lamb that nobody has given another one.
const DefaultRegion = "us-east-1"

// Options say which services to call, and as whom.
type Options struct {
	// Target is "lamb", "aws" or a URL; empty means lamb.
	Target string
	// Region and Profile win over what the environment and ~/.aws/config say.
	Region, Profile string
	// MFA asks for the code of a device; nil if there is nobody to ask.
	MFA func(ctx context.Context, serial string) (string, error)
}

// Client calls the services of one target in one region. It is safe for
// concurrent use.
type Client struct {
	// Region is where it acts.
	Region string
	// Lamb: the target is a lamb, of the version LambVersion.
	Lamb        bool
	LambVersion string

	base   *url.URL // of all services; nil for those that config names
	config *awsconfig.Config
	creds  func(context.Context) (awsconfig.Credentials, error)
	http   *http.Client
}

// Open finds the target. Its errors say what to do.
func Open(ctx context.Context, o Options) (*Client, error) {
	config, err := awsconfig.Load(awsconfig.Options{Profile: o.Profile, Region: o.Region, MFA: o.MFA})
	if err != nil {
		return nil, err
	}
	c := &Client{Region: config.Region, config: config, creds: config.Credentials, http: config.HTTPClient()}
	switch o.Target {
	case "", "lamb":
		c.base, _ = url.Parse(DefaultLamb)
	case "aws":
	default:
		base, err := url.Parse(o.Target)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return nil, fmt.Errorf("--target %q is neither lamb, nor aws, nor a URL", o.Target)
		}
		c.base = base
	}
	if c.base != nil {
		c.askWhetherLamb(ctx)
		if !c.Lamb && (o.Target == "" || o.Target == "lamb") {
			return nil, fmt.Errorf("no lamb answers at %s: start one with 'lamb serve', name another with --target URL, or use --target aws", DefaultLamb)
		}
	}
	return c, c.configure(ctx, o)
}

// configure completes the region and the credentials.
func (c *Client) configure(ctx context.Context, o Options) error {
	if !c.Lamb {
		if c.Region == "" {
			return errors.New("no region: give --region, set AWS_REGION, or name one in ~/.aws/config")
		}
		_, _, err := c.endpoint(awsconfig.Lambda) // settings that are wrong are so for all
		return err
	}
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	// A lamb takes any key; but to look for one may take until the network
	// (instance metadata) has not answered.
	if c.config.HasEnvironmentKeys() {
		return nil
	}
	find, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if o.Profile != "" {
		if _, err := c.creds(find); err == nil {
			return nil
		}
	}
	c.creds = func(context.Context) (awsconfig.Credentials, error) {
		return awsconfig.Credentials{AccessKeyID: "lamb", SecretAccessKey: "lamb"}, nil
	}
	return nil
}

// askWhetherLamb reads the health of what serves at base.
func (c *Client) askWhetherLamb(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("/_lamb/health").String(), nil)
	if err != nil {
		return
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	var health struct{ Service, Version string }
	if json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&health) == nil && health.Service == "lamb" {
		c.Lamb, c.LambVersion = true, health.Version
	}
}

// URL is where the target is: a base URL, or AWS's Lambda endpoint.
func (c *Client) URL() string {
	base, _, err := c.endpoint(awsconfig.Lambda)
	if err != nil {
		return "" // Open has refused it
	}
	return base
}

// endpoint is a service's base URL, and the region to sign requests with.
func (c *Client) endpoint(service awsconfig.Service) (base, region string, err error) {
	if c.base != nil {
		return c.base.String(), c.Region, nil
	}
	return c.config.Endpoint(service, c.Region)
}
