package auth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseHeader(t *testing.T) {
	good := Signature{
		AccessKeyID: "AKID", Date: now, Region: "us-east-1", Service: "lambda",
		SignedHeaders: []string{"host", "x-amz-date"}, Signature: hex64,
	}
	const cred, signed = "Credential=AKID/20260304/us-east-1/lambda/aws4_request", "SignedHeaders=host;x-amz-date"
	const sig = "Signature=" + hex64
	credential := func(s string) string { return "AWS4-HMAC-SHA256 Credential=" + s + ", " + signed + ", " + sig }
	tests := []struct {
		name, header, date, want string
	}{
		{"comma and blank", "AWS4-HMAC-SHA256 " + cred + ", " + signed + ", " + sig, "", ""},
		{"comma", "AWS4-HMAC-SHA256 " + cred + "," + signed + "," + sig, "", ""},
		{"blanks and tabs", "  AWS4-HMAC-SHA256 \t " + cred + " ,\t" + signed + "  " + sig + " , ", "", ""},
		{"another order", "AWS4-HMAC-SHA256 " + sig + ", " + cred + ", " + signed, "", ""},
		{"HTTP date", credential("AKID/20260304/us-east-1/lambda/aws4_request"), "Wed, 04 Mar 2026 05:06:07 GMT", ""},

		{"empty", "", "", "MissingAuthenticationTokenException"},
		{"blank", "  ", "", "MissingAuthenticationTokenException"},
		{"bearer", "Bearer abc", "", "IncompleteSignatureException"},
		{"basic", "Basic YTpi", "", "IncompleteSignatureException"},
		{"version 4A", "AWS4-ECDSA-P256-SHA256 " + cred + ", " + signed + ", " + sig, "", "IncompleteSignatureException"},
		{"only the algorithm", "AWS4-HMAC-SHA256", "", "IncompleteSignatureException"},
		{"no credential", "AWS4-HMAC-SHA256 " + signed + ", " + sig, "", "IncompleteSignatureException"},
		{"no signature", "AWS4-HMAC-SHA256 " + cred + ", " + signed, "", "IncompleteSignatureException"},
		{"no signed headers", "AWS4-HMAC-SHA256 " + cred + ", " + sig, "", "IncompleteSignatureException"},
		{"two signatures", "AWS4-HMAC-SHA256 " + cred + ", " + signed + ", " + sig + ", " + sig, "", "IncompleteSignatureException"},
		{"unknown part", "AWS4-HMAC-SHA256 " + cred + ", " + signed + ", " + sig + ", More=1", "", "IncompleteSignatureException"},
		{"no equal sign", "AWS4-HMAC-SHA256 " + cred + ", " + signed + ", " + sig + ", More", "", "IncompleteSignatureException"},
		{"bad date", credential("AKID/20260304/us-east-1/lambda/aws4_request"), "today", "IncompleteSignatureException"},
		{"another day", credential("AKID/20260305/us-east-1/lambda/aws4_request"), "", "InvalidSignatureException"},
		{"four elements", credential("AKID/20260304/us-east-1/lambda"), "", "IncompleteSignatureException"},
		{"six elements", credential("AKID/20260304/us-east-1/lambda/aws4_request/x"), "", "IncompleteSignatureException"},
		{"six elements, last empty", credential("AKID/20260304/us-east-1/lambda/aws4_request/"), "", "IncompleteSignatureException"},
		{"empty key", credential("/20260304/us-east-1/lambda/aws4_request"), "", "IncompleteSignatureException"},
		{"key with a quote", credential(`A"B/20260304/us-east-1/lambda/aws4_request`), "", "IncompleteSignatureException"},
		{"key too long", credential(strings.Repeat("A", 129) + "/20260304/us-east-1/lambda/aws4_request"), "", "IncompleteSignatureException"},
		{"empty region", credential("AKID/20260304//lambda/aws4_request"), "", "InvalidSignatureException"},
		{"region that is none", credential("AKID/20260304/../lambda/aws4_request"), "", "InvalidSignatureException"},
		{"empty service", credential("AKID/20260304/us-east-1//aws4_request"), "", "IncompleteSignatureException"},
		{"another terminator", credential("AKID/20260304/us-east-1/lambda/aws5_request"), "", "InvalidSignatureException"},
		{"short signature", "AWS4-HMAC-SHA256 " + cred + ", " + signed + ", Signature=abc", "", "IncompleteSignatureException"},
		{"signature in capitals", "AWS4-HMAC-SHA256 " + cred + ", " + signed + ", Signature=" + strings.ToUpper(hex64), "", "IncompleteSignatureException"},
		{"host not signed", "AWS4-HMAC-SHA256 " + cred + ", SignedHeaders=x-amz-date, " + sig, "", "InvalidSignatureException"},
		{"header name in capitals", "AWS4-HMAC-SHA256 " + cred + ", SignedHeaders=Host, " + sig, "", "IncompleteSignatureException"},
		{"empty header name", "AWS4-HMAC-SHA256 " + cred + ", SignedHeaders=host;, " + sig, "", "IncompleteSignatureException"},
		{"too many header names", "AWS4-HMAC-SHA256 " + cred + ", SignedHeaders=host" + strings.Repeat(";a", 100) + ", " + sig, "", "IncompleteSignatureException"},
		{"too long", credential(strings.Repeat("A", MaxSignatureHeader)), "", "IncompleteSignatureException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Header: http.Header{"Authorization": {tt.header}}, URL: &url.URL{Path: "/"}}
			if tt.date != "" {
				r.Header.Set("Date", tt.date)
			} else {
				r.Header.Set("X-Amz-Date", "20260304T050607Z")
			}
			got, err := Parse(r)
			wantType(t, err, tt.want)
			if tt.want == "" {
				if diff := cmp.Diff(good, got); diff != "" {
					t.Errorf("signature (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestParseQuery(t *testing.T) {
	const query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260304%2Fcn-north-1%2Flambda%2Faws4_request" +
		"&X-Amz-Date=20260304T050607Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host%3Bx-amz-a&X-Amz-Security-Token=to%2Bken&X-Amz-Signature=" + hex64
	tests := []struct{ name, old, new, want string }{
		{"good", "", "", ""},
		{"no algorithm", "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "IncompleteSignatureException"},
		{"other algorithm", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "IncompleteSignatureException"},
		{"no expiry", "X-Amz-Expires=604800&", "", "IncompleteSignatureException"},
		{"expiry too long", "604800", "604801", "IncompleteSignatureException"},
		{"expiry zero", "604800", "0", "IncompleteSignatureException"},
		{"expiry negative", "604800", "-1", "IncompleteSignatureException"},
		{"no signature", "&X-Amz-Signature=" + hex64, "", "IncompleteSignatureException"},
		{"given twice", "X-Amz-Expires=604800", "X-Amz-Expires=604800&X-Amz-Expires=1", "IncompleteSignatureException"},
		{"bad escape", "AKID%2F", "AKID%2", "IncompleteSignatureException"},
		{"HTTP date", "20260304T050607Z", "Wed,%2004%20Mar%202026%2005:06:07%20GMT", "IncompleteSignatureException"},
		{"nothing of it", "X-Amz-", "x-X-Amz-", "MissingAuthenticationTokenException"},
		{"too many parameters", "X-Amz-Algorithm", strings.Repeat("a&", 1000) + "X-Amz-Algorithm", "IncompleteSignatureException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Header: http.Header{}, URL: &url.URL{Path: "/", RawQuery: strings.ReplaceAll(query, tt.old, tt.new)}}
			if tt.old == "" {
				r.URL.RawQuery = query
			}
			got, err := Parse(r)
			wantType(t, err, tt.want)
			if tt.want != "" {
				return
			}
			want := Signature{
				AccessKeyID: "AKID", Date: now, Region: "cn-north-1", Service: "lambda",
				SignedHeaders: []string{"host", "x-amz-a"}, Signature: hex64, Token: "to+ken",
				Presigned: true, Expires: 7 * 24 * time.Hour,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("signature (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseUnsigned(t *testing.T) {
	r := &http.Request{Header: http.Header{}, URL: &url.URL{Path: "/"}}
	if _, err := Parse(r); err != error(ErrMissingToken) {
		t.Errorf("error = %v, want ErrMissingToken", err)
	}
	r.Header["Authorization"] = []string{"a", "b"}
	_, err := Parse(r)
	wantType(t, err, "IncompleteSignatureException")
}

// FuzzParse feeds hostile headers and queries: Parse must not panic, what it
// accepts must keep its promises, and Verify must refuse it without the secret.
func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20260304/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature="+hex64, "20260304T050607Z", "a=b&c")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260304%2Fus-east-1%2Flambda%2Faws4_request"+
		"&X-Amz-Date=20260304T050607Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="+hex64)
	f.Add("AWS4-ECDSA-P256-SHA256 x=y,,", "x", "%zz&=&X-Amz-Date")
	f.Fuzz(func(t *testing.T, header, date, query string) {
		r := &http.Request{Method: "GET", Host: "localhost", Header: http.Header{"X-Amz-Date": {date}}, URL: &url.URL{Path: "/", RawQuery: query}, RequestURI: "/"}
		if header != "" {
			r.Header["Authorization"] = []string{header}
		}
		sig, err := Parse(r)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatalf("error %v is not an *Error", err)
			}
			return
		}
		if !validAccessKeyID(sig.AccessKeyID) || !ValidRegion(sig.Region) || sig.Service == "" || !isHex64(sig.Signature) ||
			len(sig.SignedHeaders) == 0 || sig.Presigned != (header == "") {
			t.Fatalf("accepted %+v", sig)
		}
		if err := Verify(r, sig, Credentials{SecretAccessKey: "s", SessionToken: sig.Token}, hashOf(""), sig.Date); err == nil {
			t.Fatal("verified without the secret")
		}
	})
}
