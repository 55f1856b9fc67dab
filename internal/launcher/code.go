package launcher

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/function"
)

// Code gives the code of versions as folders.
type Code interface {
	// Folders returns the folder with a version's unpacked code and that with
	// its merged layers, empty for none. Nobody changes or removes them before
	// release is called.
	Folders(ctx context.Context, c function.Content) (task, opt string, release func(), err error)
}

// Unpacked gives code from a store of archives.
func Unpacked(s *artifact.Store) Code { return unpacked{s} }

type unpacked struct{ store *artifact.Store }

func (u unpacked) Folders(ctx context.Context, c function.Content) (task, opt string, release func(), err error) {
	code, err := u.store.Tree(ctx, c.Code.SHA256)
	if err != nil {
		return "", "", nil, err
	}
	digests := c.LayerDigests()
	if len(digests) == 0 {
		return code.Path, "", code.Release, nil
	}
	layers, err := u.store.Layers(ctx, digests)
	if err != nil {
		code.Release()
		return "", "", nil, fmt.Errorf("layers: %w", err)
	}
	return code.Path, layers.Path, func() { layers.Release(); code.Release() }, nil
}
