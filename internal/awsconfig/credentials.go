package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Credentials are what requests are signed with. Printed or logged they show
// nothing of it.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expires is zero for those that do not.
	Expires time.Time
}

// String implements fmt.Stringer.
func (c Credentials) String() string { return "(credentials)" }

// GoString implements fmt.GoStringer.
func (c Credentials) GoString() string { return c.String() }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Check returns an error for credentials that cannot sign a request, now.
func (c Credentials) Check(now time.Time) error {
	switch {
	case c.AccessKeyID == "" || c.SecretAccessKey == "":
		return errors.New("it has no access key with a secret")
	case !c.Expires.IsZero() && !c.Expires.After(now):
		return fmt.Errorf("what it gave has expired at %s", c.Expires.UTC().Format(time.RFC3339))
	}
	for _, part := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
		if strings.ContainsAny(part, "\x00\r\n") {
			return errors.New("it has a line break within a key")
		}
	}
	return nil
}

// RenewBefore is how long before their end credentials are fetched again.
const RenewBefore = 5 * time.Minute

// Credentials finds credentials; what has been found is kept until shortly before
// it expires.
func (c *Config) Credentials(ctx context.Context) (Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.last.AccessKeyID != "" && (c.last.Expires.IsZero() || c.last.Expires.Sub(now) > RenewBefore) {
		return c.last, nil
	}
	found, err := c.find(ctx)
	if err != nil {
		if c.last.AccessKeyID != "" && c.last.Expires.After(now) {
			return c.last, nil // still good, whatever ails the source
		}
		return Credentials{}, err
	}
	c.last = found
	return found, nil
}

// ProfileCredentials finds what the profile itself gives, anew each time: neither
// keys in variables, nor those of the container or instance.
func (c *Config) ProfileCredentials(ctx context.Context) (Credentials, error) {
	found, ok, err := c.fromProfile(ctx, c.Profile, true, nil)
	if err := c.usable(found, ok, err); err != nil {
		return Credentials{}, fmt.Errorf("credentials of %s: %w", c.where(c.Profile), err)
	}
	return found, nil
}

// usable says why what a source was asked for cannot be used.
func (c *Config) usable(found Credentials, ok bool, err error) error {
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("it has no credentials")
	}
	return found.Check(c.clock.Now())
}

// A source looks for credentials in one place; ok is false where there are none.
type source struct {
	name string
	find func(context.Context) (found Credentials, ok bool, err error)
}

// find asks one source after the other, in the CLI's order.
func (c *Config) find(ctx context.Context) (Credentials, error) {
	var sources []source
	if !c.named {
		sources = append(sources, source{"the environment", c.fromEnvironment})
	}
	sources = append(sources, source{c.where(c.Profile), func(ctx context.Context) (Credentials, bool, error) {
		return c.fromProfile(ctx, c.Profile, c.named, nil)
	}}, source{"the container", c.fromContainer}, source{"the instance", c.fromInstance})
	for _, s := range sources {
		found, ok, err := s.find(ctx)
		if err == nil && ok {
			err = found.Check(c.clock.Now())
		}
		if err != nil {
			return Credentials{}, fmt.Errorf("credentials of %s: %w", s.name, err)
		}
		if ok {
			return found, nil
		}
	}
	return Credentials{}, fmt.Errorf("there are none in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor in %s, nor from a container or instance", c.where(c.Profile))
}

// where names a profile and the files that it is looked for in.
func (c *Config) where(profile string) string {
	_, inConfig := c.files.inConfig[profile]
	_, inCredentials := c.files.inCredentials[profile]
	path := c.files.configPath
	switch {
	case inCredentials && !inConfig:
		path = c.files.credentialsPath
	case inCredentials == inConfig:
		path += " and " + c.files.credentialsPath
	}
	return fmt.Sprintf("profile %q (%s)", profile, path)
}

// fromEnvironment reads the keys in variables.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
func (c *Config) fromEnvironment(context.Context) (Credentials, bool, error) {
	found := Credentials{
		AccessKeyID: c.env("AWS_ACCESS_KEY_ID"), SecretAccessKey: c.env("AWS_SECRET_ACCESS_KEY"),
		SessionToken: firstOf(c.env("AWS_SECURITY_TOKEN"), c.env("AWS_SESSION_TOKEN")),
	}
	if found.AccessKeyID == "" {
		return Credentials{}, false, nil
	}
	if found.SecretAccessKey == "" {
		return Credentials{}, false, errors.New("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not")
	}
	if end := c.env("AWS_CREDENTIAL_EXPIRATION"); end != "" {
		var err error
		if found.Expires, err = parseTime(end); err != nil {
			return Credentials{}, false, errors.New("AWS_CREDENTIAL_EXPIRATION is no time in ISO 8601")
		}
	}
	return found, true, nil
}

// fromProfile finds the credentials of a profile: by the role that it assumes, or
// itself. visited are the profiles that lead here.
func (c *Config) fromProfile(ctx context.Context, name string, named bool, visited []string) (Credentials, bool, error) {
	profile := c.files.profiles[name]
	// A profile that is the source of a role, with keys of its own, gives these.
	source := len(visited) > 0 && (has(profile, "aws_access_key_id") || has(profile, "aws_secret_access_key"))
	if has(profile, "role_arn") && !has(profile, "web_identity_token_file") && !source {
		found, err := c.assumeRole(ctx, name, visited)
		return found, err == nil, err
	}
	for _, from := range []func(context.Context, string, bool) (Credentials, bool, error){
		c.fromWebIdentity, c.fromSSO, c.fromCredentialsFile, c.fromLogin, c.fromProcess, c.fromConfigFile,
	} {
		if found, ok, err := from(ctx, name, named || len(visited) > 0); ok || err != nil {
			return found, ok, err
		}
	}
	return Credentials{}, false, nil
}

func has(s section, key string) bool { _, ok := s[key]; return ok }

func (c *Config) fromCredentialsFile(_ context.Context, name string, _ bool) (Credentials, bool, error) {
	return fromKeys(c.files.inCredentials[name])
}

func (c *Config) fromConfigFile(_ context.Context, name string, _ bool) (Credentials, bool, error) {
	return fromKeys(c.files.inConfig[name])
}

// fromKeys reads the keys that a section has.
func fromKeys(s section) (Credentials, bool, error) {
	id, ok := s["aws_access_key_id"]
	if !ok {
		return Credentials{}, false, nil
	}
	if !has(s, "aws_secret_access_key") {
		return Credentials{}, false, fmt.Errorf("%s: aws_access_key_id is set, and aws_secret_access_key is not", id.at)
	}
	return Credentials{
		AccessKeyID: id.text, SecretAccessKey: s["aws_secret_access_key"].text,
		SessionToken: firstOf(s["aws_security_token"].text, s["aws_session_token"].text),
	}, true, nil
}

// parseTime reads the times that services and programs write.
func parseTime(s string) (time.Time, error) {
	s = strings.Replace(s, "UTC", "Z", 1) // version 1 of the CLI, in its caches
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"} {
		var t time.Time
		if t, err = time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}
