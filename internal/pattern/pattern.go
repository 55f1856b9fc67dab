// Package pattern has regular expressions that cost a start nothing.
package pattern

import (
	"regexp"
	"sync"
)

// Lazy compiles an expression, which must be valid, when it is first asked for:
// every command would wait for it otherwise.
func Lazy(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
