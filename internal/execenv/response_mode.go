package execenv

import "strings"

// ResponseMode is how a response is to reach the caller.
type ResponseMode string

// The response modes.
const (
	ResponseBuffered  ResponseMode = "Buffered"
	ResponseStreaming ResponseMode = "Streaming"
)

// ParseResponseMode reads the mode that a caller asks for, in any case; none
// is ResponseBuffered. The error is ErrInvalidResponseMode.
func ParseResponseMode(s string) (ResponseMode, error) {
	for _, m := range []ResponseMode{ResponseBuffered, ResponseStreaming} {
		if strings.EqualFold(s, string(m)) {
			return m, nil
		}
	}
	if s == "" {
		return ResponseBuffered, nil
	}
	return "", ErrInvalidResponseMode
}

// ParseFunctionResponseMode reads the header
// Lambda-Runtime-Function-Response-Mode; sent tells an empty one from none.
// Only "streaming" is a mode there. The error is ErrInvalidResponseMode.
func ParseFunctionResponseMode(s string, sent bool) (ResponseMode, error) {
	switch {
	case !sent:
		return ResponseBuffered, nil
	case s == "streaming":
		return ResponseStreaming, nil
	}
	return "", ErrInvalidResponseMode
}
