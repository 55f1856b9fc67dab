package server

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/process"
)

func TestMain(m *testing.M) {
	process.MaybeSupervise()
	m.Run()
}

// TestOpenSandboxes looks at which sandbox every choice gives on this host,
// whatever this host can do.
func TestOpenSandboxes(t *testing.T) {
	open := func(t *testing.T, kind Sandbox, network string) (sandbox.Fingerprint, error) {
		t.Helper()
		p, err := OpenSandboxes(SandboxConfig{Kind: kind, Network: network, WorkDir: t.TempDir()})
		if err != nil {
			return sandbox.Fingerprint{}, err
		}
		defer func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}()
		return p.Fingerprint(), nil
	}
	isolated, isolatedErr := open(t, SandboxNative, "")
	plain, err := open(t, SandboxProcess, "")
	if err != nil || plain.Name != "process" || plain.Isolation {
		t.Fatalf("process: %+v, %v", plain, err)
	}
	if _, err := open(t, SandboxProcess, "private"); err == nil {
		t.Error("process takes a network that it does not have")
	}
	if fp, err := open(t, SandboxProcess, "host"); err != nil || fp.Network != "host" {
		t.Errorf("process on the network that it has: %+v, %v", fp, err)
	}
	if fp, err := open(t, SandboxAuto, "host"); err != nil || fp.Network != "host" || fp.Isolation {
		t.Errorf("auto on the host's network: %+v, %v", fp, err)
	}
	if fp, err := open(t, SandboxNative, "none"); isolatedErr == nil && (err != nil || fp.Network != "none" || !fp.Isolation) {
		t.Errorf("native without a network: %+v, %v", fp, err)
	}
	if _, err := open(t, SandboxNative, "bridge"); err == nil {
		t.Error("an unknown network is accepted")
	}
	auto, err := open(t, SandboxAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	if isolatedErr == nil {
		if diff := cmp.Diff(isolated, auto); diff != "" || !auto.Isolation {
			t.Errorf("native works, but auto is another: %s", diff)
		}
		return
	}
	var why *native.Unavailable
	if !errors.As(isolatedErr, &why) {
		t.Fatal(isolatedErr)
	}
	if len(auto.Missing) == 0 || !strings.Contains(auto.Missing[0], isolatedErr.Error()) || !slices.Equal(auto.Missing[1:], plain.Missing) {
		t.Errorf("auto does not say why there is no isolation: %q", auto.Missing)
	}
}

func TestLesserSaysWhy(t *testing.T) {
	p, err := openProcess(SandboxConfig{WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want := p.Fingerprint()
	want.Missing = append([]string{"Functions are not isolated: the moon is full. Wait."}, want.Missing...)
	got := lesser{p, errors.New("the moon is full. Wait")}.Fingerprint()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p.Fingerprint().Missing[0] == want.Missing[0] {
		t.Error("the provider's own fingerprint has changed")
	}
}

func TestCheckIsolation(t *testing.T) {
	isolated := sandbox.Fingerprint{Name: "native", Isolation: true}
	plain := sandbox.Fingerprint{Name: "process", Missing: []string{"It is missing."}}
	for _, tt := range []struct {
		name string
		cfg  Config
		fp   sandbox.Fingerprint
		says []string // nothing when it is allowed
	}{
		{"loopback", Config{Listen: "127.0.0.1:0"}, plain, nil},
		{"off loopback", Config{Listen: "0.0.0.0:0"}, plain, []string{"0.0.0.0:0", "the process sandbox", "--insecure"}},
		{"off loopback, isolated", Config{Listen: "0.0.0.0:0"}, isolated, nil},
		{"off loopback, insecure", Config{Listen: "0.0.0.0:0", Insecure: true}, plain, nil},
		{"required", Config{Listen: "127.0.0.1:0", RequireIsolation: true}, plain, []string{"--require-isolation", "It is missing."}},
		{"required, insecure", Config{Listen: "0.0.0.0:0", Insecure: true, RequireIsolation: true}, plain, []string{"--require-isolation"}},
		{"required, isolated", Config{Listen: "127.0.0.1:0", RequireIsolation: true}, isolated, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.checkIsolation(tt.fp)
			if (err == nil) != (tt.says == nil) {
				t.Fatalf("%v, want one with %q", err, tt.says)
			}
			for _, text := range tt.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v does not say %q", err, text)
				}
			}
		})
	}
}
