package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Layers returns one tree with the unpacked archives of several digests: what
// a later archive has takes the place of what an earlier one has at the same
// path, and folders that both have are merged. The same list in the same order
// is unpacked once, whoever asks for it. Errors are those of Tree; ErrBadZip
// also when archives that are acceptable alone have, together, links that lead
// out of the tree. There must be at least one digest.
func (s *Store) Layers(ctx context.Context, digests []string) (*Tree, error) {
	if len(digests) == 1 {
		return s.Tree(ctx, digests[0]) // the same tree
	}
	sum := sha256.Sum256([]byte(strings.Join(digests, "\n")))
	return s.tree(ctx, "layers-"+hex.EncodeToString(sum[:]), digests)
}

// merge puts archives over each other; the first one becomes the result.
func merge(all []*archive) (*archive, error) {
	a := all[0]
	if len(all) == 1 {
		return a, nil
	}
	for _, over := range all[1:] {
		overlay(a.root, over.root)
	}
	// Links were looked at in their own archives: another one may have put a
	// link on their way.
	if err := a.checkLinks(a.root, nil); err != nil {
		return nil, err
	}
	return a, nil
}

// overlay puts what the folder over has into the folder under.
func overlay(under, over *node) {
	for name, n := range over.children {
		if old := under.children[name]; old != nil && old.isDir() && n.isDir() {
			overlay(old, n)
			continue
		}
		under.children[name] = n
	}
}
