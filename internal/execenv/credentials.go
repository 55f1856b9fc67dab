package execenv

import (
	"encoding/json"
	"time"
)

// Credentials are what the environment's processes may sign requests with.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expires is when they end; zero for credentials that live as long as the
	// environment.
	Expires time.Time
}

// refreshAfter is when SDKs are to read lasting credentials again.
const refreshAfter = time.Hour

func (c Credentials) complete() bool {
	return c.AccessKeyID != "" && c.SecretAccessKey != "" && c.SessionToken != ""
}

// json is the answer of the credentials endpoint.
func (c Credentials) json(now time.Time) []byte {
	expires := c.Expires
	if expires.IsZero() {
		expires = now.Add(refreshAfter)
	}
	b, _ := json.Marshal(struct { // strings always marshal
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      string
	}{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, expires.UTC().Format(time.RFC3339)})
	return b
}
