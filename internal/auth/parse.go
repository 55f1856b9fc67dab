package auth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	// amzDate is the one time format of X-Amz-Date.
	amzDate = "20060102T150405Z"

	// MaxSignatureHeader is the largest Authorization header, in bytes, that
	// is looked at.
	MaxSignatureHeader = 8 << 10
	// MaxPresignExpiry is the longest life of a presigned request.
	MaxPresignExpiry = 7 * 24 * time.Hour

	maxSignedHeaders = 100
	maxQueryParams   = 1000
	maxTokenBytes    = 16 << 10
)

// Signature is what a request says about its signer. Parse checks its form
// only; Verify checks that it is true.
type Signature struct {
	AccessKeyID string
	// Date is the time of signing, from X-Amz-Date or Date.
	Date    time.Time
	Region  string
	Service string
	// SignedHeaders are lower-case, in the order of the request.
	SignedHeaders []string
	Signature     string // 64 lower-case hexadecimal digits
	Token         string // X-Amz-Security-Token, or empty
	Presigned     bool
	Expires       time.Duration // of a presigned request, else zero
}

// Parse reads the signature of r from its Authorization header or, if there
// is none, from its query. It fails with an *Error in AWS's words:
// ErrMissingToken when the request is not signed at all.
func Parse(r *http.Request) (Signature, error) {
	headers := r.Header["Authorization"]
	switch {
	case len(headers) > 1:
		return Signature{}, incomplete("A request must have exactly one Authorization header.")
	case len(headers) == 1:
		return parseHeader(r, headers[0])
	case strings.Contains(r.URL.RawQuery, "X-Amz-"):
		return parseQuery(r.URL.RawQuery)
	}
	return Signature{}, ErrMissingToken
}

// fields are the parts of a signature as they are written.
type fields struct {
	credential, signedHeaders, signature, date string
}

func parseHeader(r *http.Request, header string) (Signature, error) {
	if len(header) > MaxSignatureHeader {
		return Signature{}, incomplete("Authorization header is longer than " + strconv.Itoa(MaxSignatureHeader) + " bytes.")
	}
	header = strings.Trim(header, " \t")
	if header == "" {
		return Signature{}, ErrMissingToken
	}
	scheme, rest := header, ""
	if i := strings.IndexAny(header, " \t"); i >= 0 {
		scheme, rest = header[:i], header[i+1:]
	}
	if err := checkAlgorithm(scheme); err != nil {
		return Signature{}, err
	}
	f, err := headerFields(rest)
	if err != nil {
		return Signature{}, err
	}
	f.date = r.Header.Get("X-Amz-Date")
	if f.date == "" {
		f.date = r.Header.Get("Date")
	}
	var missing []string
	for _, part := range []struct{ name, value string }{
		{"Credential", f.credential}, {"Signature", f.signature}, {"SignedHeaders", f.signedHeaders},
	} {
		if part.value == "" {
			missing = append(missing, "Authorization header requires '"+part.name+"' parameter.")
		}
	}
	if f.date == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if missing != nil {
		return Signature{}, incomplete(strings.Join(missing, " "))
	}
	sig := Signature{Token: r.Header.Get("X-Amz-Security-Token")}
	return sig, sig.fill(f)
}

func checkAlgorithm(name string) error {
	switch {
	case name == algorithm:
		return nil
	case strings.HasPrefix(name, "AWS4-ECDSA"):
		return incomplete("AWS Signature Version 4A is not supported. Sign with " + algorithm + ".")
	}
	return incomplete("Unsupported AWS 'algorithm': only " + algorithm + " is supported.")
}

// headerFields reads "Credential=…, SignedHeaders=…, Signature=…": in any
// order, with commas, blanks, or both between them, as the SDKs write it.
func headerFields(list string) (fields, error) {
	var f fields
	for part := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }) {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return f, incomplete("Authorization header has a part that is not a valid key=value pair (missing equal-sign).")
		}
		var dst *string
		switch name {
		case "Credential":
			dst = &f.credential
		case "SignedHeaders":
			dst = &f.signedHeaders
		case "Signature":
			dst = &f.signature
		default:
			return f, incomplete("Authorization header has an unknown parameter.")
		}
		if *dst != "" {
			return f, incomplete("Authorization header has two '" + name + "' parameters.")
		}
		*dst = value
	}
	return f, nil
}

func parseQuery(rawQuery string) (Signature, error) {
	var f fields
	var alg, expires, token string
	var known bool
	targets := map[string]*string{
		"X-Amz-Algorithm": &alg, "X-Amz-Credential": &f.credential, "X-Amz-Date": &f.date,
		"X-Amz-Expires": &expires, "X-Amz-SignedHeaders": &f.signedHeaders,
		"X-Amz-Signature": &f.signature, "X-Amz-Security-Token": &token,
	}
	err := eachParam(rawQuery, func(name, value string) error {
		dst := targets[name]
		if dst == nil {
			return nil
		}
		if *dst != "" {
			return incomplete("AWS query-string parameter '" + name + "' is given twice.")
		}
		*dst, known = value, true
		return nil
	})
	if err != nil {
		return Signature{}, err
	}
	if !known {
		return Signature{}, ErrMissingToken
	}
	for _, part := range []struct{ name, value string }{
		{"X-Amz-Algorithm", alg}, {"X-Amz-Credential", f.credential}, {"X-Amz-Signature", f.signature},
		{"X-Amz-SignedHeaders", f.signedHeaders}, {"X-Amz-Date", f.date}, {"X-Amz-Expires", expires},
	} {
		if part.value == "" {
			return Signature{}, incomplete("AWS query-string parameters must include '" + part.name + "'. Re-examine the query-string parameters.")
		}
	}
	if err := checkAlgorithm(alg); err != nil {
		return Signature{}, err
	}
	seconds, err := strconv.ParseUint(expires, 10, 32)
	if err != nil || seconds < 1 || seconds > uint64(MaxPresignExpiry/time.Second) {
		return Signature{}, incomplete("X-Amz-Expires must be between 1 and 604800 seconds.")
	}
	sig := Signature{Presigned: true, Expires: time.Duration(seconds) * time.Second, Token: token}
	return sig, sig.fill(f)
}

// fill checks the form of what is common to headers and queries.
func (s *Signature) fill(f fields) error {
	scope, rest, n := [5]string{}, f.credential, 0
	for more := true; more && n < len(scope); n++ {
		scope[n], rest, more = strings.Cut(rest, "/")
	}
	if n < len(scope) || rest != "" || strings.Count(f.credential, "/") != len(scope)-1 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	s.AccessKeyID, s.Region, s.Service = scope[0], scope[2], scope[3]
	if !validAccessKeyID(s.AccessKeyID) {
		return incomplete("Credential has an access key id that is empty, too long, or has characters outside of letters, digits, '_', '-', '.', '+' and '@'.")
	}
	if !ValidRegion(s.Region) {
		return invalid("Credential should be scoped to a valid region.")
	}
	if s.Service == "" {
		return incomplete("Credential should be scoped to a service.")
	}
	if scope[4] != terminator {
		return invalid("Credential should be scoped with a valid terminator: '" + terminator + "'.")
	}
	var err error
	if s.Date, err = parseDate(f.date, s.Presigned); err != nil {
		return err
	}
	if scope[1] != s.Date.Format("20060102") {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	if !isHex64(f.signature) {
		return incomplete("Signature must be 64 lower-case hexadecimal digits.")
	}
	s.Signature = f.signature
	if len(s.Token) > maxTokenBytes {
		return incomplete("X-Amz-Security-Token is longer than " + strconv.Itoa(maxTokenBytes) + " bytes.")
	}
	s.SignedHeaders, err = parseSignedHeaders(f.signedHeaders)
	return err
}

func parseDate(s string, presigned bool) (time.Time, error) {
	if t, err := time.Parse(amzDate, s); err == nil {
		return t, nil
	}
	if !presigned {
		if t, err := http.ParseTime(s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, incomplete("Date must be in ISO-8601 'basic format', for example 20060102T150405Z. It is given in X-Amz-Date.")
}

func parseSignedHeaders(list string) ([]string, error) {
	if strings.Count(list, ";") >= maxSignedHeaders {
		return nil, incomplete("SignedHeaders names more than " + strconv.Itoa(maxSignedHeaders) + " headers.")
	}
	names := strings.Split(list, ";")
	for _, name := range names {
		if !isHeaderName(name) {
			return nil, incomplete("SignedHeaders must be a list of lower-case header names, separated by ';'.")
		}
	}
	if !slices.Contains(names, "host") {
		return nil, invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return names, nil
}

func validAccessKeyID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if !isAlnum(id[i]) && !strings.ContainsRune("_-.+@", rune(id[i])) {
			return false
		}
	}
	return true
}

func isHeaderName(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' || !isAlnum(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return true
}

func isHex64(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
