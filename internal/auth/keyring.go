package auth

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"strings"
	"sync"
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
// one for each live environment, so their number bounds its size. The zero
// value is an empty keyring. It may be used from several goroutines.
type Keyring struct {
	mu   sync.RWMutex
	keys map[string]minted // by access key id; guarded by mu
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
