package launcher

import (
	"context"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// credentials are those of an environment, lent to e: its role's, if they have
// a source, else minted ones. What they may do at lamb's own API is the same.
func (l *Launcher) credentials(ctx context.Context, id string, v *function.Version, e *environment) (execenv.Credentials, error) {
	owner := auth.Owner{
		Environment: id, Partition: v.Key.Partition, Account: v.Key.Account,
		Region: v.Key.Region, Name: v.Key.Name, Access: l.cfg.Access,
	}
	given, ok, err := l.cfg.Roles.Get(ctx, v.Runs().Config.Role)
	if err != nil {
		return execenv.Credentials{}, err
	}
	if !ok {
		c := l.cfg.Keyring.Mint(owner)
		e.undo = append(e.undo, func() { l.cfg.Keyring.Revoke(c.AccessKeyID) })
		return forFunction(c), nil
	}
	c := auth.Credentials{AccessKeyID: given.AccessKeyID, SecretAccessKey: given.SecretAccessKey, SessionToken: given.SessionToken}
	l.cfg.Keyring.Adopt(c, owner)
	e.undo = append(e.undo, func() { l.cfg.Keyring.Release(id) })
	return forFunction(c), nil
}

// forFunction is credentials as an environment has them.
func forFunction(c auth.Credentials) execenv.Credentials {
	return execenv.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}
