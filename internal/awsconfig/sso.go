package awsconfig

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// singleSignOn is what a profile and its session say.
type singleSignOn struct {
	session                             string // empty without a session
	startURL, region, account, roleName string
	at                                  string
}

// fromSSO gets the credentials of a role for who has logged in with
// 'aws sso login'.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html
func (c *Config) fromSSO(ctx context.Context, name string, _ bool) (Credentials, bool, error) {
	s, ok, err := c.singleSignOn(name)
	if !ok || err != nil {
		return Credentials{}, false, err
	}
	token, err := c.ssoToken(ctx, s)
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: %w: log in with 'aws sso login --profile %s'", s.at, err, name)
	}
	found, err := c.ssoRole(ctx, s, token)
	if unauthorized(err) {
		err = fmt.Errorf("the single sign-on is over (%w): log in with 'aws sso login --profile %s'", err, name)
	}
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: %w", s.at, err)
	}
	return found, true, nil
}

// singleSignOn reads the settings; ok is false for profiles without any.
func (c *Config) singleSignOn(name string) (s singleSignOn, ok bool, err error) {
	profile := c.files.profiles[name]
	role, hasRole := profile["sso_role_name"]
	account, hasAccount := profile["sso_account_id"]
	if !hasRole && !hasAccount {
		return singleSignOn{}, false, nil
	}
	s = singleSignOn{roleName: role.text, account: account.text, at: firstOf(role.at, account.at)}
	start, region := profile["sso_start_url"], profile["sso_region"]
	if ref, has := profile["sso_session"]; has {
		session, exists := c.files.sessions[ref.text]
		if !exists {
			return s, false, fmt.Errorf("%s: there is no section [sso-session %s]", ref.at, ref.text)
		}
		for key, value := range session {
			if own, has := profile[key]; has && own.text != value.text {
				return s, false, fmt.Errorf("%s: %s differs from that of [sso-session %s]", own.at, key, ref.text)
			}
		}
		s.session, start, region = ref.text, session["sso_start_url"], session["sso_region"]
	}
	s.startURL, s.region = start.text, region.text
	var missing []string
	for _, needed := range []struct{ key, value string }{
		{"sso_role_name", s.roleName}, {"sso_account_id", s.account}, {"sso_start_url", s.startURL}, {"sso_region", s.region},
	} {
		if needed.value == "" {
			missing = append(missing, needed.key)
		}
	}
	if len(missing) > 0 {
		return s, false, fmt.Errorf("%s: single sign-on needs %s, too, in profile %q or its sso-session", s.at, strings.Join(missing, ", "), name)
	}
	return s, true, nil
}

// tokenPath is where the CLI keeps a token.
func (c *Config) tokenPath(s singleSignOn) string {
	sum := sha1.Sum([]byte(firstOf(s.session, s.startURL)))
	return filepath.Join(c.home(), ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// ssoToken is the token of the last login, renewed if it can be.
func (c *Config) ssoToken(ctx context.Context, s singleSignOn) (string, error) {
	path := c.tokenPath(s)
	text, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", errors.New("nobody has logged in")
	}
	if err != nil {
		return "", err
	}
	// Whatever else is there is kept when the token is renewed.
	var kept map[string]any
	if json.Unmarshal(text, &kept) != nil {
		return "", fmt.Errorf("%s is not JSON", path)
	}
	get := func(key string) string { v, _ := kept[key].(string); return v }
	end, err := parseTime(get("expiresAt"))
	if err != nil || get("accessToken") == "" {
		return "", fmt.Errorf("%s has no token with an end", path)
	}
	const renewTokenBefore = 15 * time.Minute // as the CLI does
	left := end.Sub(c.clock.Now())
	if s.session != "" && left < renewTokenBefore {
		if c.renewToken(ctx, s, kept) == nil {
			return get("accessToken"), c.keepToken(path, kept)
		}
	}
	if left <= 0 {
		return "", fmt.Errorf("the login has expired at %s", end.UTC().Format(time.RFC3339))
	}
	return get("accessToken"), nil
}

// renewToken asks for a new token, and puts it into what is kept.
// https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
func (c *Config) renewToken(ctx context.Context, s singleSignOn, kept map[string]any) error {
	ask := map[string]any{"grantType": "refresh_token"}
	for _, key := range []string{"clientId", "clientSecret", "refreshToken"} {
		v, ok := kept[key].(string)
		if !ok {
			return fmt.Errorf("there is no %s", key)
		}
		ask[key] = v
	}
	registered, _ := kept["registrationExpiresAt"].(string)
	if end, err := parseTime(registered); err != nil || !end.After(c.clock.Now()) {
		return errors.New("the registration of the client has expired")
	}
	base, _, err := c.Endpoint(ssoOIDC, s.region)
	if err != nil {
		return err
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	status, answer, err := c.do(ctx, c.client, serviceTimeout, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/token", strings.NewReader(string(body)))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	})
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refused(status, answer)
	}
	var got struct {
		AccessToken, RefreshToken string
		ExpiresIn                 int // seconds
	}
	if json.Unmarshal(answer, &got) != nil || got.AccessToken == "" || got.ExpiresIn <= 0 {
		return errors.New("the answer has no token")
	}
	kept["accessToken"] = got.AccessToken
	kept["expiresAt"] = c.clock.Now().Add(time.Duration(got.ExpiresIn) * time.Second).UTC().Format(time.RFC3339)
	if got.RefreshToken != "" {
		kept["refreshToken"] = got.RefreshToken
	}
	return nil
}

// keepToken writes what is kept where the CLI finds it: the token that has been
// used for the renewal is worth nothing any more.
func (c *Config) keepToken(path string, kept map[string]any) error {
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "*.tmp") // readable by its owner only
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// ssoRole asks for a role's credentials.
// https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html
func (c *Config) ssoRole(ctx context.Context, s singleSignOn, token string) (Credentials, error) {
	base, _, err := c.Endpoint(SSO, s.region)
	if err != nil {
		return Credentials{}, err
	}
	query := url.Values{"role_name": {s.roleName}, "account_id": {s.account}}
	status, answer, err := c.do(ctx, c.client, serviceTimeout, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/federation/credentials?"+query.Encode(), nil)
		if err == nil {
			req.Header.Set("X-Amz-Sso_bearer_token", token)
		}
		return req, err
	})
	if err != nil {
		return Credentials{}, err
	}
	if status != http.StatusOK {
		return Credentials{}, refused(status, answer)
	}
	var got struct {
		RoleCredentials struct {
			AccessKeyID     string `json:"accessKeyId"`
			SecretAccessKey string `json:"secretAccessKey"`
			SessionToken    string `json:"sessionToken"`
			Expiration      int64  `json:"expiration"` // ms since 1970
		} `json:"roleCredentials"`
	}
	if json.Unmarshal(answer, &got) != nil {
		return Credentials{}, errors.New("single sign-on answered with something else than credentials")
	}
	r := got.RoleCredentials
	found := Credentials{r.AccessKeyID, r.SecretAccessKey, r.SessionToken, time.UnixMilli(r.Expiration)}
	return found, found.Check(c.clock.Now())
}
