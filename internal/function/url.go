package function

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"
)

// URL is a function's URL as it is configured. A *URL that has been handed out
// is never changed.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionUrlConfig.html
type URL struct {
	Key Key
	// Qualifier is the alias that the URL calls; empty for Latest. The alias
	// may be missing: deleting one leaves its URL, which then calls nothing.
	Qualifier string
	// ID is the first label of the URL's host, see NewURLID. It never changes.
	ID         string
	AuthType   string // "NONE" or "AWS_IAM"
	InvokeMode string // "BUFFERED" or "RESPONSE_STREAM"
	CORS       *CORS  // nil: none is configured
	// Created and LastModified have millisecond precision, UTC.
	Created, LastModified time.Time
}

// Ref is what the URL calls.
func (u *URL) Ref() Ref { return Ref{Key: u.Key, Qualifier: u.Qualifier} }

// CORS says what a function's URL tells browsers. Nil members were not given.
type CORS struct {
	AllowCredentials *bool    `json:",omitempty"`
	AllowHeaders     []string `json:",omitzero"`
	AllowMethods     []string `json:",omitzero"`
	AllowOrigins     []string `json:",omitzero"`
	ExposeHeaders    []string `json:",omitzero"`
	MaxAge           *int     `json:",omitempty"` // seconds
}

// urlIDBytes is the randomness of a URL's id: nobody guesses one.
const urlIDBytes = 20

// NewURLID returns a random id: 32 lower-case letters and digits, as AWS's.
func NewURLID() string {
	var b [urlIDBytes]byte
	rand.Read(b[:]) // never fails: the process ends when there is no randomness
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// URLHost is the host name of the URL with an id: domain is what AWS's
// "on.aws" stands for, without a port.
func URLHost(id, region, domain string) string { return id + ".lambda-url." + region + "." + domain }
