package launcher

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// credentials are those of an environment, lent to e: its role's, if they have
// a source, else minted ones. What they may do at lamb's own API is the same.
// refresh gives a source's as they are when it is called; it is nil for minted
// ones, which last.
func (l *Launcher) credentials(ctx context.Context, id string, v *function.Version, e *environment) (c execenv.Credentials, refresh func(context.Context) (execenv.Credentials, error), err error) {
	owner := auth.Owner{
		Environment: id, Partition: v.Key.Partition, Account: v.Key.Account,
		Region: v.Key.Region, Name: v.Key.Name, Access: l.cfg.Access,
	}
	role := v.Runs().Config.Role
	refresh = func(ctx context.Context) (execenv.Credentials, error) {
		c, ok, err := l.cfg.Roles.Get(ctx, role)
		if err != nil || !ok {
			return execenv.Credentials{}, err
		}
		l.cfg.Keyring.Adopt(auth.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, owner)
		return execenv.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires}, nil
	}
	if c, err = refresh(ctx); err != nil {
		return c, nil, fmt.Errorf("role %s: %w", role, err)
	}
	if c.AccessKeyID == "" { // the role has no source
		m := l.cfg.Keyring.Mint(owner)
		e.undo = append(e.undo, func() { l.cfg.Keyring.Revoke(m.AccessKeyID) })
		return execenv.Credentials{AccessKeyID: m.AccessKeyID, SecretAccessKey: m.SecretAccessKey, SessionToken: m.SessionToken}, nil, nil
	}
	e.undo = append(e.undo, func() { l.cfg.Keyring.Release(id) })
	return c, refresh, nil
}
