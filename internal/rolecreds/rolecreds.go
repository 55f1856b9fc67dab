// Package rolecreds finds credentials for the roles of functions where the
// operator has said whence they come: from a file, a profile or a program, each
// in the form that AWS's own tools use. Functions whose role has no source get
// those that lamb mints.
package rolecreds

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/awsconfig"
	"github.com/lambhq/lamb/internal/clock"
)

// AnyRole, as the role of a mapping, stands for all that have none of their own.
const AnyRole = "*"

// Credentials are what requests to AWS are signed with.
type Credentials = awsconfig.Credentials

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

// fetchTime bounds how long a source may take.
const fetchTime = 30 * time.Second

// Parse reads mappings ROLE=KIND:VALUE. ROLE is a role's ARN or AnyRole, and
// KIND:VALUE one of
//
//	file:PATH       JSON as credential_process gives it
//	profile:NAME    a profile of ~/.aws/config or ~/.aws/credentials, as the AWS CLI reads it
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
	if s.last.Expires.Sub(now) > awsconfig.RenewBefore {
		return s.last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	c, err := s.fetch(ctx)
	if err == nil {
		err = c.Check(now)
	}
	if err != nil {
		return Credentials{}, err
	}
	s.last = c
	return c, nil
}
