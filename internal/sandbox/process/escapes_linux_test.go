package process_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/escapes"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

// escapeTime bounds the program with all its attempts.
const escapeTime = time.Minute

// TestEscapes: what succeeds is what is listed, neither more nor less. Only as
// an ordinary user: root's attempts would change this host.
func TestEscapes(t *testing.T) {
	if sandboxtest.AsOrdinaryUser(t, "^TestEscapes$") {
		return
	}
	results, out := runEscapes(t)
	for _, a := range escapes.Attempts() {
		result := results[a.Name]
		switch {
		case result == "":
			t.Errorf("%s was not tried", a.Name)
		case slices.Contains(dependOnHost, a.Name):
		case slices.Contains(succeed, a.Name) != (result == escapes.Escaped):
			t.Errorf("%s: %s", a.Name, result)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

func runEscapes(t *testing.T) (results map[string]string, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), escapeTime)
	defer cancel()
	p := sandboxtest.Process(t)
	task := t.TempDir()
	other, err := p.Create(ctx, sandbox.Spec{ID: "other", Task: task})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	box, err := p.Create(ctx, sandbox.Spec{ID: "prisoner", Task: task, MemoryMB: 512, MaxFiles: 1024, MaxProcesses: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	paths := box.Paths()
	target := escapes.NewTarget(t, task, paths.Task)
	target.SetOther(t, other.Listener(), other.Paths().Tmp)
	args, err := escapes.Args(target)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	proc, err := box.Start(ctx, sandbox.Process{
		Path: filepath.Join(paths.Task, "program"), Args: args, Stdout: &said,
		Env: []string{"PATH=/usr/bin:/bin", "LAMBDA_TASK_ROOT=" + paths.Task, "TMPDIR=" + paths.Tmp},
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		t.Fatal("the attempts do not end")
	}
	box.Flush()
	return escapes.Results(said.String()), said.String()
}

// TestEscapesListed keeps docs/security.md, these lists and the names of the
// attempts in step.
func TestEscapesListed(t *testing.T) {
	text, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range escapes.Attempts() {
		names = append(names, a.Name)
	}
	for heading, listed := range map[string][]string{
		"These attempts succeed:": succeed,
		"Of these it depends on the host's settings whether they succeed:": dependOnHost,
	} {
		for _, name := range listed {
			if !slices.Contains(names, name) {
				t.Errorf("there is no attempt %q", name)
			}
		}
		_, after, ok := strings.Cut(string(text), heading+"\n\n")
		if !ok {
			t.Fatalf("docs/security.md does not say %q", heading)
		}
		paragraph, _, _ := strings.Cut(after, ".\n")
		documented := strings.Split(strings.ReplaceAll(paragraph, "\n", " "), "; ")
		if diff := cmp.Diff(documented, listed); diff != "" {
			t.Errorf("docs/security.md and the list differ:\n%s\nto be written there:\n%s.", diff, strings.Join(listed, "; "))
		}
	}
}

// succeed are the attempts of an ordinary user's function that succeed.
var succeed = []string{
	"read a file of the host",
	"read it through a link",
	"list lamb's data",
	"list another sandbox's /tmp",
	"read the host's settings",
	"write to the code",
	"see the host's processes",
	"signal a process of the host",
	"read the environment of a process of the host",
	"attach the host's shared memory",
	"have a capability or no filter",
	"connect to the host",
	"reach another sandbox's Runtime API",
	"connect to the host's unix socket",
	"connect to the host's abstract socket",
}

// dependOnHost are those whose outcome is the host's matter: its sysctls, its
// devices, its network, whether lamb is in a container itself.
var dependOnHost = []string{
	"list root's home",
	"find a disk",
	"have shared memory in /dev",
	"seize its parent",
	"read the memory of a process of the host",
	"clone into a user namespace",
	"clone into user and mount namespaces",
	"clone3 into a user namespace",
	"load a BPF program",
	"add a key",
	"read the session keyring",
	"join a keyring",
	"set up io_uring",
	"catch page faults",
	"count events of the machine",
	"watch file systems",
	"read the kernel's messages",
	"run as another system",
	"call another ABI",
	"raise its priority",
	"lock much memory",
	"connect to the metadata service",
	"connect to the metadata service by IPv6",
	"see another interface",
	"open a socket to the hypervisor",
	"open a crypto socket",
	"watch the machine's load",
	"connect to the host by its other address",
	"connect to the host by mapped IPv6",
	"get out by IPv6",
	"reach neighbours by IPv6",
	"reach everybody on the network",
	"reach a group of the network",
	"reach the relay itself",
	"reach the relay by its address",
	"hear of the host's devices",
	"talk to the firewall",
	"list sockets",
	"open a socket that loads a module",
	"pair sockets of another family",
}
