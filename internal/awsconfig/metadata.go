package awsconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// containerTimeout bounds a request for a container's credentials.
const containerTimeout = 2 * time.Second

// fromContainer asks for the credentials of a task or pod.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func (c *Config) fromContainer(ctx context.Context) (Credentials, bool, error) {
	from, address := "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", c.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	if address != "" {
		address = c.containerHost + address
	} else {
		from, address = "AWS_CONTAINER_CREDENTIALS_FULL_URI", c.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
		if address == "" {
			return Credentials{}, false, nil
		}
		if err := trusted(address); err != nil {
			return Credentials{}, false, fmt.Errorf("%s: %w", from, err)
		}
	}
	token, err := c.containerToken()
	if err != nil {
		return Credentials{}, false, err
	}
	status, answer, err := c.do(ctx, c.local, containerTimeout, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err == nil && token != "" {
			req.Header.Set("Authorization", token)
		}
		return req, err
	})
	if err == nil && status != http.StatusOK {
		err = refused(status, answer)
	}
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: %w", from, err)
	}
	found, err := parseMetadata(answer)
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: %w", from, err)
	}
	return found, true, nil
}

// containerToken is what a request for a container's credentials is authorized by;
// empty if by nothing. The file is read each time, because its token changes.
func (c *Config) containerToken() (string, error) {
	token, from := c.env("AWS_CONTAINER_AUTHORIZATION_TOKEN"), "AWS_CONTAINER_AUTHORIZATION_TOKEN"
	if path := c.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); path != "" {
		from = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
		text, err := readFile(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", from, err)
		}
		token = string(text)
	}
	if strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("%s: the token has a line break", from)
	}
	return token, nil
}

// trusted refuses addresses that would give a token to the network.
func trusted(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("it is not a URL") // the error would quote it
	}
	if u.Scheme == "https" || slices.Contains([]string{"localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"}, u.Hostname()) {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("host %q is neither this machine, nor the container's, nor asked by https", u.Hostname())
}

// parseMetadata reads the credentials that containers and instances have.
func parseMetadata(text []byte) (Credentials, error) {
	var doc struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      string
	}
	if json.Unmarshal(text, &doc) != nil || doc.AccessKeyID == "" || doc.SecretAccessKey == "" {
		return Credentials{}, errors.New("the answer is not JSON with AccessKeyId, SecretAccessKey, Token and Expiration")
	}
	found := Credentials{AccessKeyID: doc.AccessKeyID, SecretAccessKey: doc.SecretAccessKey, SessionToken: doc.Token}
	if doc.Expiration != "" {
		var err error
		if found.Expires, err = parseTime(doc.Expiration); err != nil {
			return Credentials{}, errors.New("the answer's Expiration is no time")
		}
	}
	return found, nil
}

// rolesPath is where an instance's metadata has its role, and below that the
// role's credentials.
const rolesPath = "/latest/meta-data/iam/security-credentials/"

// fromInstance asks for the credentials of an instance's role. Where nobody
// answers there are none.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
func (c *Config) fromInstance(ctx context.Context) (Credentials, bool, error) {
	if strings.EqualFold(c.env("AWS_EC2_METADATA_DISABLED"), "true") {
		return Credentials{}, false, nil
	}
	token, ok, err := c.instanceToken(ctx)
	if !ok || err != nil {
		return Credentials{}, false, err
	}
	role, ok := c.metadata(ctx, http.MethodGet, rolesPath, token)
	if !ok {
		return Credentials{}, false, nil
	}
	text, ok := c.metadata(ctx, http.MethodGet, rolesPath+url.PathEscape(strings.TrimSpace(string(role))), token)
	if !ok {
		return Credentials{}, false, nil
	}
	found, err := parseMetadata(text)
	if err != nil {
		return Credentials{}, false, nil // "Code" and "Message" say that there are none
	}
	if now := c.clock.Now(); !found.Expires.IsZero() && found.Expires.Sub(now) < RenewBefore {
		// The service hands out what it has when it cannot renew it; AWS takes that
		// for a while.
		found.Expires = now.Add(3 * RenewBefore)
	}
	return found, true, nil
}

// instanceToken gets the token that requests for metadata need; it is empty where
// the service is too old for it. ok is false where nobody answers.
func (c *Config) instanceToken(ctx context.Context) (token string, ok bool, err error) {
	status, body, err := c.ask(ctx, http.MethodPut, "/latest/api/token", "")
	switch {
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	case err != nil, status == http.StatusBadRequest:
		return "", false, nil
	case status == http.StatusOK:
		return string(body), true, nil
	case c.truth("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"):
		return "", false, fmt.Errorf("the instance gives no token (status %d), and requests without one are disabled", status)
	}
	return "", true, nil
}

// metadata reads one document.
func (c *Config) metadata(ctx context.Context, method, path, token string) ([]byte, bool) {
	status, body, err := c.ask(ctx, method, path, token)
	return body, err == nil && status == http.StatusOK && len(body) > 0
}

// ask sends a request to the instance's metadata service. On a machine that is no
// instance it would wait for nobody, so it is sent once, unless a setting says
// otherwise.
func (c *Config) ask(ctx context.Context, method, path, token string) (status int, body []byte, err error) {
	base := firstOf(c.env("AWS_EC2_METADATA_SERVICE_ENDPOINT"), c.profile["ec2_metadata_service_endpoint"].text)
	if base == "" {
		base = "http://169.254.169.254"
		if strings.EqualFold(firstOf(c.env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), c.profile["ec2_metadata_service_endpoint_mode"].text), "ipv6") {
			base = "http://[fd00:ec2::254]"
		}
	}
	timeout := time.Duration(c.number("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")) * time.Second
	for range c.number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts") {
		status, body, err = once(ctx, c.local, timeout, func(ctx context.Context) (*http.Request, error) {
			req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+path, nil)
			if err != nil {
				return nil, err
			}
			if method == http.MethodPut {
				req.Header.Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			} else if token != "" {
				req.Header.Set("X-Aws-Ec2-Metadata-Token", token)
			}
			return req, nil
		})
		if err == nil && status < 500 || ctx.Err() != nil {
			break
		}
	}
	return status, body, err
}

// number reads a small number from a variable or the profile; it is 1 if there is
// none.
func (c *Config) number(variable, key string) int {
	n, err := strconv.Atoi(firstOf(c.env(variable), c.profile[key].text))
	if err != nil {
		return 1
	}
	return min(max(n, 1), 60)
}
