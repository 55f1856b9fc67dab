package awsconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds the files that are read, in bytes.
const maxFile = 1 << 20

// files is what the configuration and the credentials file say.
type files struct {
	configPath, credentialsPath string
	// profiles are those of both files; what the credentials file says wins.
	profiles map[string]section
	// inConfig and inCredentials are the profiles of one file alone.
	inConfig, inCredentials map[string]section
	sessions, services      map[string]section
}

// readFile reads a bounded file.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return text, nil
}

// readINI reads a file that need not be there.
func readINI(path string) ([]named, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil, nil
	}
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseINI(path, text)
}

func readFiles(configPath, credentialsPath string) (*files, error) {
	f := &files{
		configPath: configPath, credentialsPath: credentialsPath,
		inConfig: map[string]section{}, inCredentials: map[string]section{},
		sessions: map[string]section{}, services: map[string]section{},
	}
	sections, err := readINI(configPath)
	if err != nil {
		return nil, err
	}
	for _, s := range sections {
		switch {
		case s.name == defaultProfile:
			f.inConfig[s.name] = s.settings
		case strings.HasPrefix(s.name, "profile"):
			put(f.inConfig, s)
		case strings.HasPrefix(s.name, "sso-session"):
			put(f.sessions, s)
		case strings.HasPrefix(s.name, "services"):
			put(f.services, s)
		}
	}
	if sections, err = readINI(credentialsPath); err != nil {
		return nil, err
	}
	f.profiles = maps.Clone(f.inConfig)
	for _, s := range sections {
		f.inCredentials[s.name] = s.settings
		merged := section{}
		maps.Copy(merged, f.inConfig[s.name])
		maps.Copy(merged, s.settings)
		f.profiles[s.name] = merged
	}
	return f, nil
}

// put keeps a section whose header is a kind and a name.
func put(to map[string]section, s named) {
	if words, err := split(s.name); err == nil && len(words) == 2 {
		to[words[1]] = s.settings
	}
}

// path is a path that a setting or variable gives: with ~ and variables.
func (c *Config) path(p string) string {
	p = os.Expand(p, func(name string) string {
		if v := c.env(name); v != "" {
			return v
		}
		return "$" + name
	})
	if rest, ok := strings.CutPrefix(p, "~"); ok && (rest == "" || rest[0] == '/') {
		return filepath.Join(c.home(), rest)
	}
	return p
}

// home is the user's folder.
func (c *Config) home() string {
	if home := c.env("HOME"); home != "" {
		return home
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "." // as Python leaves ~ what it is; there is nothing below it
	}
	return home
}
