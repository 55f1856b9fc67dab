package awsconfig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// maxAnswer bounds what programs and services answer, in bytes.
const maxAnswer = 64 << 10

// ParseProcess reads what a credential_process writes. Errors quote nothing of it.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func ParseProcess(text []byte) (Credentials, error) {
	var doc struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	err := json.Unmarshal(text, &doc)
	found := Credentials{AccessKeyID: doc.AccessKeyID, SecretAccessKey: doc.SecretAccessKey, SessionToken: doc.SessionToken}
	if err == nil && doc.Expiration != "" {
		found.Expires, err = parseTime(doc.Expiration)
	}
	if err != nil {
		return Credentials{}, errors.New("it is not JSON with AccessKeyId, SecretAccessKey, SessionToken and Expiration")
	}
	return found, nil
}

// RunProcess runs a program that writes credentials on its standard output. What
// it says on standard error is shown; it reads nothing, but may ask at the
// terminal.
func RunProcess(ctx context.Context, argv []string) ([]byte, error) {
	if len(argv) == 0 {
		return nil, errors.New("no program is named")
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	var out limited
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", argv[0], err)
	}
	return out.Bytes(), nil
}

// limited keeps maxAnswer bytes.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxAnswer-l.Len())])
	return len(p), nil
}

// fromProcess runs a profile's credential_process, as the CLI does without a
// shell.
func (c *Config) fromProcess(ctx context.Context, name string, _ bool) (Credentials, bool, error) {
	line, ok := c.files.profiles[name]["credential_process"]
	if !ok {
		return Credentials{}, false, nil
	}
	found, err := c.runProcess(ctx, line.text)
	if err != nil {
		return Credentials{}, false, fmt.Errorf("%s: credential_process: %w", line.at, err)
	}
	return found, true, nil
}

func (c *Config) runProcess(ctx context.Context, line string) (Credentials, error) {
	argv, err := split(line)
	if err != nil {
		return Credentials{}, err
	}
	out, err := RunProcess(ctx, argv)
	if err != nil {
		return Credentials{}, err
	}
	var doc struct{ Version int }
	if json.Unmarshal(out, &doc) == nil && doc.Version != 1 {
		return Credentials{}, errors.New("what it wrote has not \"Version\": 1")
	}
	found, err := ParseProcess(out)
	if err == nil {
		err = found.Check(c.clock.Now())
	}
	return found, err
}
