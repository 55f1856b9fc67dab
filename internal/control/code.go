package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/function"
)

// addCode stores the code that a request brings, after everything about its
// source has been checked. The caller releases it when the record that refers
// to it is committed or given up.
func (c *Control) addCode(ctx context.Context, in *api.FunctionCode) (*artifact.Pinned, function.Code, error) {
	if err := checkSource(in); err != nil {
		return nil, function.Code{}, err
	}
	pinned, err := c.artifacts.Add(ctx, in.ZipFile, in.ZipFile.Size())
	if err != nil {
		return nil, function.Code{}, c.archiveError(ctx, err)
	}
	return pinned, function.Code{
		SHA256:   pinned.SHA256,
		Size:     pinned.Size,
		Unzipped: pinned.Unzipped,
	}, nil
}

func checkSource(in *api.FunctionCode) error {
	s3 := in.S3Bucket != nil || in.S3Key != nil || in.S3ObjectVersion != nil
	switch {
	case in.ImageUri != nil:
		return invalidParameter("Please don't provide ImageUri when updating a function with packageType Zip.")
	case in.ZipFile != nil && s3:
		return invalidParameter("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case s3:
		return invalidParameter("Code from Amazon S3 is not supported by this installation. " +
			"Please provide the deployment package as ZipFile.")
	case in.ZipFile == nil:
		return invalidParameter("Please provide a source for function code.")
	case in.ZipFile.Size() == 0:
		return invalidParameter("Uploaded file must be a non-empty zip")
	}
	return nil
}

// archiveError answers for an archive that was refused. AWS says of every
// fault the same; the log says which it was.
func (c *Control) archiveError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, artifact.ErrZippedTooLarge):
		return requestTooLarge(fmt.Sprintf("Zipped size must be smaller than %d bytes", artifact.DefaultZipped))
	case errors.Is(err, artifact.ErrUnzippedTooLarge):
		return invalidParameter(fmt.Sprintf("Unzipped size must be smaller than %d bytes", artifact.DefaultUnzipped))
	case errors.Is(err, artifact.ErrBadZip):
		c.log.LogAttrs(ctx, slog.LevelInfo, "uploaded archive refused", slog.Any("error", err))
		return invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again.")
	default:
		return fmt.Errorf("add the code: %w", err)
	}
}

// room is how much code an account can still store, in bytes. Every version
// counts its own, whatever it shares on disk.
type room int64

// room is read outside the transaction that uses it: requests at the same
// moment may together pass the limit by what they bring.
func (c *Control) room(ctx context.Context, scope function.Scope) (room, error) {
	usage, err := c.store.Usage(ctx, scope)
	if err != nil {
		return 0, fmt.Errorf("sum up the code: %w", err)
	}
	return room(c.limits.TotalCodeSize - usage.CodeBytes), nil
}

// check refuses what takes more; what takes nothing is never refused.
func (r room) check(more int64) error {
	if more > 0 && more > int64(r) {
		return codeStorageExceeded()
	}
	return nil
}
