// Package rolecreds finds credentials for the roles of functions where the
// operator has said whence they come: from a file, a profile or a program, each
// in the form that AWS's own tools use. Functions whose role has no source get
// those that lamb mints.
package rolecreds

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// AnyRole, as the role of a mapping, stands for all that have none of their own.
const AnyRole = "*"

// Credentials are what requests to AWS are signed with. Printed or logged they
// show nothing of it.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expires is zero for those that do not.
	Expires time.Time
}

// String implements fmt.Stringer.
func (c Credentials) String() string { return "(credentials)" }

// GoString implements fmt.GoStringer.
func (c Credentials) GoString() string { return c.String() }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Sources are the sources of an operator's mappings. Its methods may be called
// from several goroutines. A nil Sources has none.
type Sources struct {
	byRole map[string]*source
}

// Kinds of sources, as mappings write them.
const (
	fromFile    = "file"
	fromProfile = "profile"
	fromCommand = "command"
)

// fetcher gets credentials anew.
type fetcher func(ctx context.Context) (Credentials, error)

// source is one source with what it gave.
type source struct {
	name  string
	fetch fetcher
	clock clock.Clock

	mu   sync.Mutex // held by whoever fetches; the others wait for the result
	last Credentials
}

// renewBefore is how long before their end credentials are fetched again.
const renewBefore = 5 * time.Minute

// fetchTime bounds how long a source may take.
const fetchTime = 30 * time.Second

// Parse reads mappings ROLE=KIND:VALUE. ROLE is a role's ARN or AnyRole, and
// KIND:VALUE one of
//
//	file:PATH       JSON as credential_process gives it
//	profile:NAME    a profile of ~/.aws/credentials, or of AWS_SHARED_CREDENTIALS_FILE
//	command:PROGRAM with arguments, separated by blanks: a credential_process
//
// Sources are not asked before somebody wants their credentials. A nil clock
// is the system's.
func Parse(mappings []string, c clock.Clock) (*Sources, error) {
	if c == nil {
		c = clock.System
	}
	s := &Sources{byRole: make(map[string]*source)}
	for _, m := range mappings {
		role, from, ok := strings.Cut(m, "=")
		if !ok || role != AnyRole && !strings.HasPrefix(role, "arn:") {
			return nil, fmt.Errorf("role credentials %q: want ROLE=KIND:VALUE, where ROLE is an ARN or %s", m, AnyRole)
		}
		if s.byRole[role] != nil {
			return nil, fmt.Errorf("role credentials: %s has two sources", role)
		}
		kind, value, _ := strings.Cut(from, ":")
		src := &source{name: kind + " source of " + role, clock: c}
		switch {
		case value == "":
			return nil, fmt.Errorf("role credentials %q: the source is file:PATH, profile:NAME or command:PROGRAM", m)
		case kind == fromFile:
			src.fetch = file(value)
		case kind == fromProfile:
			src.fetch = profile(value)
		case kind == fromCommand:
			src.fetch = command(strings.Fields(value))
		default:
			return nil, fmt.Errorf("role credentials %q: the source is file:PATH, profile:NAME or command:PROGRAM", m)
		}
		s.byRole[role] = src
	}
	return s, nil
}

// Get returns the credentials for a role; ok is false when it has no source.
// An error says nothing of what they are.
func (s *Sources) Get(ctx context.Context, role string) (c Credentials, ok bool, err error) {
	if s == nil {
		return Credentials{}, false, nil
	}
	src := s.byRole[role]
	if src == nil {
		src = s.byRole[AnyRole]
	}
	if src == nil {
		return Credentials{}, false, nil
	}
	c, err = src.get(ctx)
	if err != nil {
		return Credentials{}, true, fmt.Errorf("credentials from the %s: %w", src.name, err)
	}
	return c, true, nil
}

// get returns what the source gave last, or asks it: credentials without an
// end are asked for every time, because a change of them could not be seen.
func (s *source) get(ctx context.Context) (Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if s.last.Expires.Sub(now) > renewBefore {
		return s.last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	c, err := s.fetch(ctx)
	switch {
	case err != nil:
		return Credentials{}, err
	case c.AccessKeyID == "" || c.SecretAccessKey == "":
		return Credentials{}, fmt.Errorf("it has no access key with a secret")
	case !c.Expires.IsZero() && !c.Expires.After(now):
		return Credentials{}, fmt.Errorf("what it gave has expired at %s", c.Expires.UTC().Format(time.RFC3339))
	}
	for _, part := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
		if strings.ContainsAny(part, "\x00\r\n") {
			return Credentials{}, fmt.Errorf("it has a line break within a key")
		}
	}
	s.last = c
	return c, nil
}
