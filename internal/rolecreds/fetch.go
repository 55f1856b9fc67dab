package rolecreds

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxSize bounds what a source gives, in bytes.
const maxSize = 64 << 10

// parseProcess reads what a credential_process writes.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func parseProcess(text []byte) (Credentials, error) {
	var doc struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return Credentials{}, errors.New("it is not JSON with AccessKeyId, SecretAccessKey, SessionToken and Expiration") // the error could quote it
	}
	return Credentials{doc.AccessKeyID, doc.SecretAccessKey, doc.SessionToken, doc.Expiration}, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSize))
}

func file(path string) fetcher {
	return func(context.Context) (Credentials, error) {
		text, err := readFile(path)
		if err != nil {
			return Credentials{}, err
		}
		return parseProcess(text)
	}
}

func command(argv []string) fetcher {
	return func(ctx context.Context) (Credentials, error) {
		if len(argv) == 0 {
			return Credentials{}, errors.New("no program is named")
		}
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.WaitDelay = time.Second
		var out limited
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			return Credentials{}, fmt.Errorf("%s: %w", argv[0], err)
		}
		return parseProcess(out.Bytes())
	}
}

// limited keeps maxSize bytes.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxSize-l.Len())])
	return len(p), nil
}

// profile reads a profile of AWS's shared credentials file.
func profile(name string) fetcher {
	return func(context.Context) (Credentials, error) {
		path := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
		if path == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return Credentials{}, err
			}
			path = filepath.Join(home, ".aws", "credentials")
		}
		text, err := readFile(path)
		if err != nil {
			return Credentials{}, err
		}
		c, found := parseProfile(text, name)
		if !found {
			return Credentials{}, fmt.Errorf("%s has no profile %q", path, name)
		}
		return c, nil
	}
}

func parseProfile(text []byte, name string) (c Credentials, found bool) {
	within := false
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			within = strings.TrimSpace(strings.Trim(line, "[]")) == name
			found = found || within
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if value = strings.TrimSpace(value); !within {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = value
		case "aws_session_token":
			c.SessionToken = value
		}
	}
	return c, found
}
