package awsconfig

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// serviceTimeout bounds a request to a service.
const serviceTimeout = 30 * time.Second

// assumeRole takes the role that a profile names, as who its source says.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html
func (c *Config) assumeRole(ctx context.Context, name string, visited []string) (Credentials, error) {
	profile := c.files.profiles[name]
	role := profile["role_arn"]
	by, err := c.sourceOf(ctx, name, visited)
	if err != nil {
		return Credentials{}, err
	}
	form := url.Values{"Action": {"AssumeRole"}, "RoleArn": {role.text}, "RoleSessionName": {c.sessionName(profile["role_session_name"].text)}}
	if id, ok := profile["external_id"]; ok {
		form.Set("ExternalId", id.text)
	}
	if seconds, err := strconv.Atoi(strings.TrimSpace(profile["duration_seconds"].text)); err == nil {
		form.Set("DurationSeconds", strconv.Itoa(seconds)) // the CLI, too, ignores what is no number
	}
	if serial, ok := profile["mfa_serial"]; ok {
		if c.mfa == nil {
			return Credentials{}, fmt.Errorf("%s: mfa_serial: role %s wants the code of a device, and there is nobody to ask for it", serial.at, role.text)
		}
		code, err := c.mfa(ctx, serial.text)
		if err != nil {
			return Credentials{}, fmt.Errorf("%s: mfa_serial: role %s wants the code of a device: %w", serial.at, role.text, err)
		}
		form.Set("SerialNumber", serial.text)
		form.Set("TokenCode", code)
	}
	found, err := c.askSTS(ctx, form, &by)
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: role %s: %w", role.at, role.text, err)
	}
	return found, nil
}

// sourceOf finds who may take a profile's role.
func (c *Config) sourceOf(ctx context.Context, name string, visited []string) (Credentials, error) {
	profile := c.files.profiles[name]
	ref, isProfile := profile["source_profile"]
	kind, isKind := profile["credential_source"]
	switch {
	case isProfile && isKind:
		return Credentials{}, fmt.Errorf("%s: profile %q has both source_profile and credential_source", ref.at, name)
	case isKind:
		return c.sourceKind(ctx, kind)
	case !isProfile:
		return Credentials{}, fmt.Errorf("%s: role_arn needs source_profile or credential_source in profile %q", profile["role_arn"].at, name)
	}
	from, exists := c.files.profiles[ref.text]
	if !exists {
		return Credentials{}, fmt.Errorf("%s: source_profile: there is no profile %q", ref.at, ref.text)
	}
	visited = append(slices.Clip(visited), name)
	// A profile may be its own source, for the keys that it has.
	itself := ref.text == name && (has(from, "aws_access_key_id") || has(from, "aws_secret_access_key"))
	if slices.Contains(visited, ref.text) && !itself {
		return Credentials{}, fmt.Errorf("%s: source_profile: the profiles %s lead back to %q", ref.at, strings.Join(visited, ", "), ref.text)
	}
	found, ok, err := c.fromProfile(ctx, ref.text, true, visited)
	if err := c.usable(found, ok, err); err != nil {
		return Credentials{}, fmt.Errorf("%s: source_profile: %s: %w", ref.at, c.where(ref.text), err)
	}
	return found, nil
}

// sourceKind finds credentials where a credential_source says.
func (c *Config) sourceKind(ctx context.Context, kind setting) (Credentials, error) {
	from, known := map[string]func(context.Context) (Credentials, bool, error){
		"Environment": c.fromEnvironment, "EcsContainer": c.fromContainer, "Ec2InstanceMetadata": c.fromInstance,
	}[kind.text]
	if !known {
		return Credentials{}, fmt.Errorf("%s: credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata", kind.at)
	}
	found, ok, err := from(ctx)
	if err := c.usable(found, ok, err); err != nil {
		return Credentials{}, fmt.Errorf("%s: credential_source %s: %w", kind.at, kind.text, err)
	}
	return found, nil
}

// sessionName is the name of a role's session, made up if there is none.
func (c *Config) sessionName(given string) string {
	return firstOf(given, "lamb-"+strconv.FormatInt(c.clock.Now().Unix(), 10))
}

// fromWebIdentity takes a role by a token that somebody else has issued, as
// Kubernetes gives it to pods. named: variables are not for this profile.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html#cli-configure-role-oidc
func (c *Config) fromWebIdentity(ctx context.Context, name string, named bool) (Credentials, bool, error) {
	profile := c.files.profiles[name]
	get := func(variable, key string) (text, from string) {
		if v := c.env(variable); v != "" && !named {
			return v, variable
		}
		return profile[key].text, profile[key].at + ": " + key
	}
	path, from := get("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file")
	if path == "" {
		return Credentials{}, false, nil
	}
	role, _ := get("AWS_ROLE_ARN", "role_arn")
	if role == "" {
		return Credentials{}, false, fmt.Errorf("%s: there is no role_arn or AWS_ROLE_ARN to go with it", from)
	}
	token, err := readFile(path)
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: %w", from, err)
	}
	session, _ := get("AWS_ROLE_SESSION_NAME", "role_session_name")
	found, err := c.askSTS(ctx, url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {role},
		"RoleSessionName": {c.sessionName(session)}, "WebIdentityToken": {string(token)},
	}, nil)
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: role %s: %w", from, role, err)
	}
	return found, true, nil
}

// askSTS asks for the credentials of a role, signed by whoever takes it.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (c *Config) askSTS(ctx context.Context, form url.Values, by *Credentials) (Credentials, error) {
	base, region, err := c.Endpoint(STS, c.Region)
	if err != nil {
		return Credentials{}, err
	}
	form.Set("Version", "2011-06-15")
	body := form.Encode()
	status, answer, err := c.do(ctx, c.client, serviceTimeout, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/", strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if by == nil {
			return req, nil
		}
		sum := sha256.Sum256([]byte(body))
		return req, by.Sign(ctx, req, hex.EncodeToString(sum[:]), string(STS), region, c.clock.Now())
	})
	if err != nil {
		return Credentials{}, err
	}
	if status != http.StatusOK {
		return Credentials{}, refused(status, answer)
	}
	type credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	var doc struct {
		Role     credentials `xml:"AssumeRoleResult>Credentials"`
		Identity credentials `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if xml.Unmarshal(answer, &doc) != nil {
		return Credentials{}, errors.New("STS answered with something else than credentials")
	}
	got := doc.Role
	if got.AccessKeyID == "" {
		got = doc.Identity
	}
	expires, err := parseTime(got.Expiration)
	if err != nil {
		return Credentials{}, errors.New("STS answered with credentials without an end")
	}
	found := Credentials{got.AccessKeyID, got.SecretAccessKey, got.SessionToken, expires}
	return found, found.Check(c.clock.Now())
}

// Sign signs a request for a service in a region; digest is the SHA-256 of its
// body in hexadecimal.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
func (c Credentials) Sign(ctx context.Context, req *http.Request, digest, service, region string, now time.Time) error {
	return v4.NewSigner().SignHTTP(ctx, aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
	}, req, digest, service, region, now)
}
