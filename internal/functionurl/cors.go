package functionurl

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lambhq/lamb/internal/function"
)

// Preflight answers a browser that asks whether it may send a request, if the
// URL has a CORS configuration; it reports whether it did. Otherwise the
// function is asked.
func (h *Handler) Preflight(w http.ResponseWriter, r *http.Request, u *function.URL) bool {
	asked := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || asked == "" || u.CORS == nil {
		return false
	}
	header := w.Header()
	if setCORS(header, r, u.CORS) {
		wild := !credentials(u.CORS) // "*" is a word like any other with credentials
		if methods := listed(u.CORS.AllowMethods, asked, wild); methods != "" {
			header.Set("Access-Control-Allow-Methods", methods)
		}
		if headers := listed(u.CORS.AllowHeaders, r.Header.Get("Access-Control-Request-Headers"), wild); headers != "" {
			header.Set("Access-Control-Allow-Headers", headers)
		}
		if u.CORS.MaxAge != nil {
			header.Set("Access-Control-Max-Age", strconv.Itoa(*u.CORS.MaxAge))
		}
	}
	header.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return true
}

// listed is a list as a header has it; for a wildcard that does not count, what
// was asked.
func listed(allowed []string, asked string, wild bool) string {
	if !wild && slices.Contains(allowed, "*") {
		return asked
	}
	return strings.Join(allowed, ",")
}

// setCORS sets the headers that every answer to an allowed origin has, in place
// of any of the function's; it reports whether the origin is.
func setCORS(header http.Header, r *http.Request, cors *function.CORS) bool {
	origin := r.Header.Get("Origin")
	if cors == nil || origin == "" {
		return false
	}
	for name := range header {
		if strings.HasPrefix(name, "Access-Control-") {
			header.Del(name)
		}
	}
	header.Set("Vary", "Origin")
	everyone := slices.Contains(cors.AllowOrigins, "*")
	switch {
	case everyone && !credentials(cors):
		header.Set("Access-Control-Allow-Origin", "*")
	case everyone || slices.Contains(cors.AllowOrigins, origin):
		header.Set("Access-Control-Allow-Origin", origin)
	default:
		return false
	}
	if credentials(cors) {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(cors.ExposeHeaders) > 0 {
		header.Set("Access-Control-Expose-Headers", strings.Join(cors.ExposeHeaders, ","))
	}
	return true
}

func credentials(cors *function.CORS) bool {
	return cors.AllowCredentials != nil && *cors.AllowCredentials
}
