package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxSkew is how far the time of a signature may be from now.
	MaxSkew = 15 * time.Minute
	// EmptyBody is the payload hash of a request without a body.
	EmptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// Verify checks that r was signed with creds, within MaxSkew of now (or
// before the expiry of a presigned request), and that its body is the signed
// one. payloadHash is the SHA-256 of the body as received, in lower-case
// hexadecimal; it matters unless the signer declared UNSIGNED-PAYLOAD. r is
// as it came from the network: r.RequestURI and r.Host are what was sent. The
// error is an *Error.
func Verify(r *http.Request, sig Signature, creds Credentials, payloadHash string, now time.Time) error {
	if subtle.ConstantTimeCompare([]byte(sig.Token), []byte(creds.SessionToken)) != 1 {
		return ErrUnknownKey
	}
	if err := checkTime(sig, now); err != nil {
		return err
	}
	payload, err := signedPayload(r, payloadHash)
	if err != nil {
		return err
	}
	headers, err := canonicalHeaders(r, sig)
	if err != nil {
		return err
	}
	queries, err := canonicalQueries(r.URL.RawQuery, sig.Presigned)
	if err != nil {
		return err
	}
	key := signingKey(creds.SecretAccessKey, sig)
	want, _ := hex.DecodeString(sig.Signature) // Parse checked the digits
	ok := 0
	for _, path := range canonicalPaths(r) {
		for _, query := range queries {
			request := r.Method + "\n" + path + "\n" + query + "\n" + headers + "\n" +
				strings.Join(sig.SignedHeaders, ";") + "\n" + payload
			ok |= subtle.ConstantTimeCompare(sign(key, sig, request), want)
		}
	}
	if ok != 1 {
		return ErrMismatch
	}
	return nil
}

func checkTime(sig Signature, now time.Time) error {
	now = now.UTC()
	if sig.Date.After(now.Add(MaxSkew)) {
		return invalid("Signature not yet current: " + sig.Date.Format(amzDate) + " is still later than " +
			now.Add(MaxSkew).Format(amzDate) + " (" + now.Format(amzDate) + " + 15 min.)")
	}
	if sig.Presigned {
		if end := sig.Date.Add(sig.Expires); now.After(end) {
			return invalid("Signature expired: " + now.Format(amzDate) + " is now later than " + end.Format(amzDate) +
				" (" + sig.Date.Format(amzDate) + " + " + strconv.Itoa(int(sig.Expires/time.Second)) + " s.)")
		}
		return nil
	}
	if earliest := now.Add(-MaxSkew); sig.Date.Before(earliest) {
		return invalid("Signature expired: " + sig.Date.Format(amzDate) + " is now earlier than " +
			earliest.Format(amzDate) + " (" + now.Format(amzDate) + " - 15 min.)")
	}
	return nil
}

// signedPayload is the last line of the canonical request: what the signer
// says about the body, which must be true.
func signedPayload(r *http.Request, actual string) (string, error) {
	declared := r.Header.Get("X-Amz-Content-Sha256")
	if declared == "" && strings.Contains(r.URL.RawQuery, "X-Amz-Content-Sha256=") {
		declared = r.URL.Query().Get("X-Amz-Content-Sha256")
	}
	switch {
	case declared == "", declared == actual:
		return actual, nil
	case declared == unsignedPayload:
		return unsignedPayload, nil
	case isHex64(declared):
		return "", invalid("The value passed in for x-amz-content-sha256 does not match the body of the request.")
	}
	return "", invalid("The value passed in for x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a SHA-256 in hexadecimal.")
}

// canonicalHeaders are the signed headers, one a line. Headers that change
// what a request means (all of x-amz-) must be among them, or anyone between
// could add one; those that the signature covers in another way are excused.
func canonicalHeaders(r *http.Request, sig Signature) (string, error) {
	for name := range r.Header {
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") {
			continue
		}
		switch lower := strings.ToLower(name); lower {
		case "x-amz-date", "x-amz-content-sha256", "x-amz-security-token":
		default:
			if !slices.Contains(sig.SignedHeaders, lower) {
				return "", invalid("Header '" + lower + "' is present and must be a 'SignedHeader' in the AWS Authorization.")
			}
		}
	}
	var b strings.Builder
	for _, name := range sig.SignedHeaders {
		b.WriteString(name)
		b.WriteByte(':')
		for i, value := range headerValues(r, name) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCollapsed(&b, value)
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// headerValues gives back what net/http moves out of the header map.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "host":
		return []string{r.Host}
	case "content-length":
		if r.ContentLength >= 0 {
			return []string{strconv.FormatInt(r.ContentLength, 10)}
		}
	case "transfer-encoding":
		return r.TransferEncoding
	}
	return r.Header.Values(name)
}

// writeCollapsed writes s without blanks around it and with single blanks
// inside.
func writeCollapsed(b *strings.Builder, s string) {
	s = strings.Trim(s, " \t")
	for i := range len(s) {
		if s[i] == ' ' && i > 0 && s[i-1] == ' ' {
			continue
		}
		b.WriteByte(s[i])
	}
}

// canonicalPaths are the forms in which clients sign the path: encoded once
// more than it was sent, as every service but S3 wants it. botocore and
// others first drop dot segments and double slashes; the Go SDK does not.
func canonicalPaths(r *http.Request) []string {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(raw, "/") { // absolute form, as sent to a proxy
		raw = r.URL.EscapedPath()
	}
	if raw == "" {
		raw = "/"
	}
	paths := []string{encode(raw, true)}
	if strings.Contains(raw, "//") || strings.Contains(raw, "/.") {
		paths = append(paths, encode(normalPath(raw), true))
	}
	return paths
}

func normalPath(raw string) string {
	var kept []string
	for segment := range strings.SplitSeq(raw, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	path := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(raw, "/") && path != "/" {
		path += "/"
	}
	return path
}

type param struct{ name, value, encodedName, encodedValue string }

// canonicalQueries are the forms in which clients sign the query. The
// specification sorts encoded parameters, the Go SDK sorts before it encodes:
// two forms where these differ. Both say the same, so either is good.
func canonicalQueries(rawQuery string, presigned bool) ([]string, error) {
	if rawQuery == "" {
		return []string{""}, nil
	}
	var params []param
	err := eachParam(rawQuery, func(name, value string) error {
		if presigned && name == "X-Amz-Signature" {
			return nil
		}
		params = append(params, param{name, value, encode(name, false), encode(value, false)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(params, func(a, b param) int {
		if c := strings.Compare(a.encodedName, b.encodedName); c != 0 {
			return c
		}
		return strings.Compare(a.encodedValue, b.encodedValue)
	})
	forms := []string{joinParams(params)}
	slices.SortFunc(params, func(a, b param) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	if other := joinParams(params); other != forms[0] {
		forms = append(forms, other)
	}
	return forms, nil
}

func joinParams(params []param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.encodedName)
		b.WriteByte('=')
		b.WriteString(p.encodedValue)
	}
	return b.String()
}

// eachParam calls f with every decoded parameter. It reads "+" as a blank and
// leaves empty parts out, as url.ParseQuery does, because that is how
// operations read the query later.
func eachParam(rawQuery string, f func(name, value string) error) error {
	n := 0
	for part := range strings.SplitSeq(rawQuery, "&") {
		if part == "" {
			continue
		}
		if n++; n > maxQueryParams {
			return incomplete("The query string has more than " + strconv.Itoa(maxQueryParams) + " parameters.")
		}
		name, value, _ := strings.Cut(part, "=")
		name, ok1 := decode(name)
		value, ok2 := decode(value)
		if !ok1 || !ok2 {
			return incomplete("The query string has an invalid percent-encoding.")
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

func signingKey(secret string, sig Signature) []byte {
	key := mac([]byte("AWS4"+secret), sig.Date.Format("20060102"))
	key = mac(key, sig.Region)
	key = mac(key, sig.Service)
	return mac(key, terminator)
}

func sign(key []byte, sig Signature, canonicalRequest string) []byte {
	digest := sha256.Sum256([]byte(canonicalRequest))
	return mac(key, algorithm+"\n"+sig.Date.Format(amzDate)+"\n"+
		sig.Date.Format("20060102")+"/"+sig.Region+"/"+sig.Service+"/"+terminator+"\n"+
		hex.EncodeToString(digest[:]))
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
