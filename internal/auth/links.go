package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// LinkLifetime is how long a link to a function's code is good.
const LinkLifetime = 10 * time.Minute

// minLinkKey is the smallest key, in bytes, that links are signed with.
const minLinkKey = 32

// Errors of Links.Check.
var (
	ErrLinkInvalid = errors.New("link is not valid")
	ErrLinkExpired = errors.New("link has expired")
)

// Links makes and checks links that anyone who has one may follow until it
// expires. A Links is immutable.
type Links struct{ key []byte }

// NewLinks makes a Links from a secret key of at least 32 bytes. Links are
// good for every Links with the same key.
func NewLinks(key []byte) (*Links, error) {
	if len(key) < minLinkKey {
		return nil, fmt.Errorf("key for links has %d bytes, want at least %d", len(key), minLinkKey)
	}
	return &Links{key: append([]byte(nil), key...)}, nil
}

// Sign gives path (escaped, as it will be requested) with the query that
// makes it a link until now + LinkLifetime.
func (l *Links) Sign(path string, now time.Time) string {
	expires := strconv.FormatInt(now.Add(LinkLifetime).Unix(), 10)
	return path + "?Expires=" + expires + "&Signature=" + hex.EncodeToString(l.mac(path, expires))
}

// Check reports whether path and query, as requested, are a link that is
// still good: nil, ErrLinkInvalid or ErrLinkExpired.
func (l *Links) Check(path, rawQuery string, now time.Time) error {
	query, err := url.ParseQuery(rawQuery)
	if err != nil || len(query["Expires"]) != 1 || len(query["Signature"]) != 1 {
		return ErrLinkInvalid
	}
	expires := query.Get("Expires")
	got, err := hex.DecodeString(query.Get("Signature"))
	if err != nil || !hmac.Equal(got, l.mac(path, expires)) {
		return ErrLinkInvalid
	}
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return ErrLinkInvalid
	}
	if now.After(time.Unix(seconds, 0)) {
		return ErrLinkExpired
	}
	return nil
}

func (l *Links) mac(path, expires string) []byte {
	h := hmac.New(sha256.New, l.key)
	// The purpose keeps the MACs of links apart from any other use of the key;
	// expires has no line feed when it is a number, so the parts are distinct.
	h.Write([]byte("lamb link\n" + expires + "\n" + path))
	return h.Sum(nil)
}
