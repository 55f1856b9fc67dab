package rolecreds

import (
	"context"
	"io"
	"os"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// maxSize bounds what a file gives, in bytes.
const maxSize = 64 << 10

func file(path string) fetcher {
	return func(context.Context) (Credentials, error) {
		f, err := os.Open(path)
		if err != nil {
			return Credentials{}, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxSize))
		if err != nil {
			return Credentials{}, err
		}
		return awsconfig.ParseProcess(text)
	}
}

func command(argv []string) fetcher {
	return func(ctx context.Context) (Credentials, error) {
		out, err := awsconfig.RunProcess(ctx, argv)
		if err != nil {
			return Credentials{}, err
		}
		return awsconfig.ParseProcess(out)
	}
}

// profile finds what a profile gives: keys, a program, a role or single sign-on,
// but nothing of this machine's own role.
func profile(name string) fetcher {
	return func(ctx context.Context) (Credentials, error) {
		c, err := awsconfig.Load(awsconfig.Options{Profile: name})
		if err != nil {
			return Credentials{}, err
		}
		return c.ProfileCredentials(ctx)
	}
}
