package awsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
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
}

// Client calls the services of one target in one region. It is safe for
// concurrent use.
type Client struct {
	// Region is where it acts.
	Region string
	// Lamb: the target is a lamb, of the version LambVersion.
	Lamb        bool
	LambVersion string

	base  *url.URL // of all services; nil for Amazon's endpoints
	creds aws.CredentialsProvider
	http  *http.Client
}

// Open finds the target. Its errors say what to do.
func Open(ctx context.Context, o Options) (*Client, error) {
	c := &Client{http: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}}
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

// configure finds the region and the credentials.
func (c *Client) configure(ctx context.Context, o Options) error {
	var load []func(*config.LoadOptions) error
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return err
	}
	c.Region, c.creds = cfg.Region, cfg.Credentials
	if !c.Lamb {
		if c.Region == "" {
			return errors.New("no region: give --region, set AWS_REGION, or name one in ~/.aws/config")
		}
		return nil
	}
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	// A lamb takes any key; but the SDK would look for one on the network
	// (instance metadata) before it gave up.
	find, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if env, err := config.NewEnvConfig(); err == nil && env.Credentials.HasKeys() {
		return nil
	}
	if o.Profile != "" {
		if _, err := c.creds.Retrieve(find); err == nil {
			return nil
		}
	}
	c.creds = credentials.NewStaticCredentialsProvider("lamb", "lamb", "")
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

// URL is where the target is: a base URL, or Amazon's Lambda endpoint.
func (c *Client) URL() string { return c.endpoint("lambda") }

// endpoint is a service's base URL.
func (c *Client) endpoint(service string) string {
	if c.base != nil {
		return c.base.String()
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(c.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	if service == "iam" { // one for all regions of a partition
		if strings.HasPrefix(c.Region, "cn-") {
			return "https://iam.cn-north-1." + domain
		}
		return "https://iam." + domain
	}
	return "https://" + service + "." + c.Region + "." + domain
}
