package function

import (
	"fmt"
	"strings"
)

// MaxNameLength is the longest name of a function, in characters.
const MaxNameLength = 64

// LatestPublished is the qualifier that managed instances use for the newest
// published version. No function of this installation has it.
const LatestPublished = Latest + ".PUBLISHED"

// maxNameParts bounds the parts between colons: arn, partition, lambda,
// region, account, function, name, qualifier.
const maxNameParts = 8

// Ref is a function as a caller names it: the function, and the version or
// alias that was asked for.
type Ref struct {
	Key Key
	// Qualifier is what was asked for, from the name or from the Qualifier
	// parameter: Latest, a number, an alias name; empty when there was none.
	Qualifier string
}

// ARN is the ARN as it was asked for: qualified only if a qualifier was given.
func (r Ref) ARN() string { return r.Key.QualifiedARN(r.Qualifier) }

// Version is the version that the qualifier stands for, with no qualifier
// meaning Latest. It is false when the qualifier can only be an alias.
func (r Ref) Version() (string, bool) {
	switch {
	case r.Qualifier == "" || r.Qualifier == Latest:
		return Latest, true
	case IsVersionNumber(r.Qualifier):
		return r.Qualifier, true
	default:
		return "", false
	}
}

// InvalidNameError says that a string has none of the forms of a function
// name. The API layer's own validation refuses such names before.
type InvalidNameError struct{ Name string }

func (e *InvalidNameError) Error() string {
	return fmt.Sprintf("%q is not a function name", e.Name)
}

// OtherRegionError says that a name is an ARN of a region that the caller did
// not address.
type OtherRegionError struct{ Region, This string }

func (e *OtherRegionError) Error() string {
	return fmt.Sprintf("Functions from '%s' are not reachable in this region ('%s')", e.Region, e.This)
}

// OtherAccountError says that a name is an ARN of another account, or of
// another partition, than the caller's.
type OtherAccountError struct{ Partition, Account string }

func (e *OtherAccountError) Error() string {
	return fmt.Sprintf("the function belongs to account %q in partition %q", e.Account, e.Partition)
}

// QualifierMismatchError says that the name carries another qualifier than
// the Qualifier parameter.
type QualifierMismatchError struct{ Derived, Given string }

func (e *QualifierMismatchError) Error() string {
	return "The derived qualifier from the function name does not match the specified qualifier."
}

// ParseRef reads a FunctionName in any of its forms (name, function:name,
// account:function:name, ARN, each with or without ":qualifier") and the
// Qualifier parameter, which may be empty. Parts that the name leaves out are
// the caller's. It accepts names that cannot exist (longer than
// MaxNameLength, or with a dot), because a read of such a name is not found
// rather than invalid.
//
// Errors: *InvalidNameError, *OtherRegionError, *OtherAccountError,
// *QualifierMismatchError; with several faults the first of them in this
// order. None of them needs to know whether the function exists.
func ParseRef(caller Scope, name, qualifier string) (Ref, error) {
	parts, ok := splitName(name)
	if !ok {
		return Ref{}, &InvalidNameError{Name: name}
	}
	if parts.region != "" && parts.region != caller.Region {
		return Ref{}, &OtherRegionError{Region: parts.region, This: caller.Region}
	}
	if parts.partition != "" && parts.partition != caller.Partition ||
		parts.account != "" && parts.account != caller.Account {
		return Ref{}, &OtherAccountError{Partition: parts.partition, Account: parts.account}
	}
	if parts.qualifier != "" {
		if qualifier != "" && qualifier != parts.qualifier {
			return Ref{}, &QualifierMismatchError{Derived: parts.qualifier, Given: qualifier}
		}
		qualifier = parts.qualifier
	}
	return Ref{
		Key: Key{
			Partition: caller.Partition,
			Account:   caller.Account,
			Region:    caller.Region,
			Name:      parts.name,
		},
		Qualifier: qualifier,
	}, nil
}

// nameParts are the parts of a FunctionName; those that it does not have are
// empty.
type nameParts struct {
	partition, region, account, name, qualifier string
}

// splitName reads a name by hand, because invocations come through here. It
// accepts what AWS's pattern accepts and splits it as the pattern's groups do:
// every optional part in front of the name is taken when something that can be
// a name follows it.
func splitName(s string) (nameParts, bool) {
	var n nameParts
	var buf [maxNameParts]string
	f := buf[:0]
	for len(f) < maxNameParts-1 {
		part, rest, found := strings.Cut(s, ":")
		f = append(f, part)
		s = rest
		if !found {
			return splitFields(n, f)
		}
	}
	// A ninth part would still hold a colon, which no part may.
	return splitFields(n, append(f, s))
}

func splitFields(n nameParts, f []string) (nameParts, bool) {
	if len(f) > 3 && f[0] == "arn" && f[2] == "lambda" && isPartition(f[1]) {
		n.partition = f[1]
		f = f[3:]
	}
	if followedByName(f) && isRegion(f[0]) {
		n.region, f = f[0], f[1:]
	}
	if followedByName(f) && isAccount(f[0]) {
		n.account, f = f[0], f[1:]
	}
	if followedByName(f) && f[0] == "function" {
		f = f[1:]
	}
	if len(f) > 2 || !isName(f[0]) {
		return nameParts{}, false
	}
	n.name = f[0]
	if len(f) == 2 {
		if !isNamedQualifier(f[1]) {
			return nameParts{}, false
		}
		n.qualifier = f[1]
	}
	return n, true
}

// followedByName tells whether the first field can be a part in front of the
// name: in "function:$LATEST" it is the name itself.
func followedByName(f []string) bool { return len(f) > 1 && isName(f[1]) }

func isPartition(s string) bool {
	if s == "" {
		return true
	}
	rest, ok := strings.CutPrefix(s, "aws")
	return ok && all(rest, func(c byte) bool { return isLetter(c) || c == '-' })
}

// isRegion matches (eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-\d.
func isRegion(s string) bool {
	s = strings.TrimPrefix(s, "eusc-")
	if len(s) < len("xx-x-1") || !isLower(s[0]) || !isLower(s[1]) || s[2] != '-' {
		return false
	}
	last := len(s) - 1
	if s[last-1] != '-' || !isDigit(s[last]) {
		return false
	}
	area := s[3 : last-1]
	if kind, rest, ok := strings.Cut(area, "-"); ok {
		iso := strings.HasPrefix(kind, "iso") && len(kind) <= len("isox") && all(kind, isLower)
		if kind != "gov" && !iso {
			return false
		}
		area = rest
	}
	return area != "" && all(area, isLower)
}

func isAccount(s string) bool { return len(s) == 12 && all(s, isDigit) }

func isName(s string) bool {
	return s != "" && all(s, func(c byte) bool { return isWord(c) || c == '.' })
}

func isNamedQualifier(s string) bool {
	return s == Latest || s == LatestPublished || s != "" && all(s, isWord)
}

// IsValidName tells whether a function can be created with the name: 1 to
// MaxNameLength of [a-zA-Z0-9-_].
func IsValidName(s string) bool {
	return s != "" && len(s) <= MaxNameLength && all(s, isWord)
}

// IsVersionNumber tells whether a qualifier is a number, and so can only name
// a published version.
func IsVersionNumber(s string) bool { return s != "" && all(s, isDigit) }

// IsAliasName tells whether a qualifier can name an alias: 1 to 128 of
// [a-zA-Z0-9-_], not all of them digits.
func IsAliasName(s string) bool {
	return s != "" && len(s) <= 128 && all(s, isWord) && !all(s, isDigit)
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isLetter(c byte) bool { return isLower(c) || c >= 'A' && c <= 'Z' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '-' || c == '_' }
