package auth

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
)

// mintedPrefix begins every access key id that any lamb has minted. It is
// how a key of an environment that has gone, or of an earlier run, is told
// from a stranger's key: those must be refused.
const mintedPrefix = "ASIALAMB"

// Credentials are temporary credentials as the AWS SDKs take them.
type Credentials struct {
	AccessKeyID     string // "ASIA" and 16 characters
	SecretAccessKey string // 40 characters
	SessionToken    string
}

// Owner is the environment that credentials were minted for, and the
// function version's home: what it does with them happens in that account.
type Owner struct {
	Environment                      string // id of the execution environment
	Partition, Account, Region, Name string // of its function
	Access                           Access
}

// Keyring holds the credentials that lamb has minted and not yet revoked:
// one for each live environment, so their number bounds its size. Beside them
// are credentials that others have made and that were given to environments:
// whoever uses them may do no more than with minted ones. The zero value is an
// empty keyring. It may be used from several goroutines.
type Keyring struct {
	// adopting: there is, or has been, something in adopted. Without it nobody
	// needs the lock to look there.
	adopting atomic.Bool

	mu      sync.RWMutex                 // guards what follows
	keys    map[string]minted            // by access key id
	adopted map[string]map[string]minted // by access key id and environment
}

type minted struct {
	credentials Credentials
	owner       Owner
}

// Mint makes credentials for an environment. They are good until Revoke.
func (k *Keyring) Mint(owner Owner) Credentials {
	var random [96]byte
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = make(map[string]minted)
	}
	for {
		_, _ = rand.Read(random[:]) // never fails: it ends the program instead
		c := Credentials{
			AccessKeyID:     mintedPrefix + base32.StdEncoding.EncodeToString(random[:10])[:12],
			SecretAccessKey: base64.StdEncoding.EncodeToString(random[10:40]),
			SessionToken:    base64.StdEncoding.EncodeToString(random[40:]),
		}
		if _, taken := k.keys[c.AccessKeyID]; !taken {
			k.keys[c.AccessKeyID] = minted{c, owner}
			return c
		}
	}
}

// Revoke ends credentials; revoking unknown ones does nothing.
func (k *Keyring) Revoke(accessKeyID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, accessKeyID)
}

// Adopt takes credentials in that owner's environment is given and that lamb
// has not made, until Release.
func (k *Keyring) Adopt(c Credentials, owner Owner) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.adopted == nil {
		k.adopted = make(map[string]map[string]minted)
	}
	if k.adopted[c.AccessKeyID] == nil {
		k.adopted[c.AccessKeyID] = make(map[string]minted)
	}
	k.adopted[c.AccessKeyID][owner.Environment] = minted{c, owner}
	k.adopting.Store(true)
}

// Release forgets the credentials that an environment was given.
func (k *Keyring) Release(environment string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, byEnvironment := range k.adopted {
		delete(byEnvironment, environment)
		if len(byEnvironment) == 0 {
			delete(k.adopted, id)
		}
	}
}

// LookupIn is Lookup for adopted credentials too. A call that comes from an
// environment can use those of that environment only; one that may come from
// any of several environments, which have the same credentials, is taken for
// one of them.
func (k *Keyring) LookupIn(accessKeyID, environment string) (Credentials, Owner, bool) {
	if c, owner, ok := k.Lookup(accessKeyID); ok {
		return c, owner, environment == "" || owner.Environment == environment
	}
	if !k.adopting.Load() {
		return Credentials{}, Owner{}, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id, m := range k.adopted[accessKeyID] {
		if environment == "" || id == environment {
			return m.credentials, m.owner, true
		}
	}
	return Credentials{}, Owner{}, false
}

// Lookup finds live credentials and whom they were minted for.
func (k *Keyring) Lookup(accessKeyID string) (Credentials, Owner, bool) {
	if !LooksMinted(accessKeyID) {
		return Credentials{}, Owner{}, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	m, ok := k.keys[accessKeyID]
	return m.credentials, m.owner, ok
}

// LooksMinted reports whether an access key id is of the kind that Mint
// makes. Such a key is refused unless Lookup finds it.
func LooksMinted(accessKeyID string) bool {
	return len(accessKeyID) == 20 && strings.HasPrefix(accessKeyID, mintedPrefix)
}
