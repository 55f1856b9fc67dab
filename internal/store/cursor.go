package store

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/lambhq/lamb/internal/function"
)

// maxCursor bounds the text that ParseCursor looks at, in bytes. The longest
// that String makes is under 220.
const maxCursor = 256

// Cursor is a position in a list: the last entry already seen. The zero Cursor
// is the beginning. The entry it names need not exist any more.
type Cursor struct {
	Name string // of the function, or of what else is listed
	// Version is function.Latest in lists that have names only.
	Version string
}

// CursorAt returns the position just after v.
func CursorAt(v *function.Version) Cursor { return Cursor{Name: v.Key.Name, Version: v.Version} }

// IsZero reports whether c is the beginning.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// String gives a text for a marker in an API's answer; "" for the beginning.
func (c Cursor) String() string {
	if c.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(c.Version + "/" + c.Name))
}

// ParseCursor reads what String made. The text comes from clients: the error
// wraps ErrCursor.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	if len(text) > maxCursor {
		return Cursor{}, fmt.Errorf("%w: it is too long", ErrCursor)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: %w", ErrCursor, err)
	}
	version, name, ok := strings.Cut(string(raw), "/")
	if !ok || name == "" {
		return Cursor{}, fmt.Errorf("%w: it names no function", ErrCursor)
	}
	if _, err := versionNumber(version); err != nil {
		return Cursor{}, fmt.Errorf("%w: %w", ErrCursor, err)
	}
	return Cursor{Name: name, Version: version}, nil
}

// number is where a list in order of version numbers goes on.
func (c Cursor) number() (int64, error) {
	if c.IsZero() {
		return -1, nil
	}
	n, err := versionNumber(c.Version)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCursor, err)
	}
	return n, nil
}
