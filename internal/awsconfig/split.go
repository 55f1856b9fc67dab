package awsconfig

import (
	"errors"
	"strings"
)

// split cuts a command line, or a section's header, into words as a POSIX shell
// does, without substitutions: this is how the CLI runs a credential_process.
func split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune // the open quote
	begun, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '"' || r == '\'':
			quote, begun = r, true
		case strings.ContainsRune(" \t\r\n", r):
			if begun {
				words = append(words, word.String())
				word.Reset()
			}
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quotation is not closed")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
