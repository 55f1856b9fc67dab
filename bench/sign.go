package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// credentials sign requests. Those that lamb minted for an environment are
// verified by it; of all others only the form.
type credentials struct {
	Key    string `json:"key"`
	Secret string `json:"secret"`
	Token  string `json:"token"`
}

// local is what anybody may use on this machine.
var local = credentials{Key: "test", Secret: "test"}

const region = "us-east-1"

// headers are the header lines of a signed request (Signature Version 4), for
// a path that needs no escapes and has no query.
func (c credentials) headers(method, host, path string, body []byte) map[string]string {
	now := time.Now().UTC()
	date, day := now.Format("20060102T150405Z"), now.Format("20060102")
	signed, canonical := "host;x-amz-date", "host:"+host+"\nx-amz-date:"+date+"\n"
	headers := map[string]string{"X-Amz-Date": date, "Content-Type": "application/json"}
	if c.Token != "" {
		headers["X-Amz-Security-Token"] = c.Token
		signed += ";x-amz-security-token"
		canonical += "x-amz-security-token:" + c.Token + "\n"
	}
	payload := sha256.Sum256(body)
	request := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n\n%s\n%s\n%x", method, path, canonical, signed, payload))
	scope := day + "/" + region + "/lambda/aws4_request"
	key := []byte("AWS4" + c.Secret)
	for _, part := range []string{day, region, "lambda", "aws4_request"} {
		key = sum(key, part)
	}
	signature := hex.EncodeToString(sum(key, fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", date, scope, request)))
	headers["Authorization"] = fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", c.Key, scope, signed, signature)
	return headers
}

func sum(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
