package awsconfig

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// fromLogin reads the credentials of who has logged in with 'aws login'.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
func (c *Config) fromLogin(_ context.Context, name string, _ bool) (Credentials, bool, error) {
	session, ok := c.files.profiles[name]["login_session"]
	if !ok {
		return Credentials{}, false, nil
	}
	dir := filepath.Join(c.home(), ".aws", "login", "cache")
	if v := c.env("AWS_LOGIN_CACHE_DIRECTORY"); v != "" {
		dir = c.path(v)
	}
	sum := sha256.Sum256([]byte(session.text))
	text, err := readFile(filepath.Join(dir, hex.EncodeToString(sum[:])+".json"))
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: login_session: %w: log in with 'aws login --profile %s'", session.at, err, name)
	}
	var doc struct {
		AccessToken struct {
			AccessKeyID, SecretAccessKey, SessionToken, ExpiresAt string
		}
	}
	err = json.Unmarshal(text, &doc)
	token := doc.AccessToken
	found := Credentials{AccessKeyID: token.AccessKeyID, SecretAccessKey: token.SecretAccessKey, SessionToken: token.SessionToken}
	if err == nil {
		found.Expires, err = parseTime(token.ExpiresAt)
	}
	if err != nil {
		err = fmt.Errorf("its token is malformed") // the error could quote it
	} else {
		err = found.Check(c.clock.Now())
	}
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: login_session: %w: log in with 'aws login --profile %s'", session.at, err, name)
	}
	return found, true, nil
}
