package native

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// makeRoot makes the folder that is every sandbox's root: mount points for
// what it is allowed to see, and generated files.
func makeRoot(dir string, who identity, perShell bool) (*rootPlan, error) {
	b := &rootBuilder{plan: &rootPlan{skeleton: dir}}
	for _, d := range []string{
		"", "dev", "etc", "proc", "tmp", "var", "var/task", "var/runtime", "var/lang", "opt", "mnt", "run", storeDir, scratchDir,
	} {
		b.folder(d)
	}
	for i := range maxStores {
		b.folder(storeName(i))
	}
	b.system()
	b.etc(who, perShell)
	b.devices()
	b.proc()
	return b.plan, b.err
}

// write writes a file into the root, before any sandbox has it.
func (plan *rootPlan) write(name, content string) error {
	return writeFile(filepath.Join(plan.skeleton, name), content)
}

// maxStores bounds the folders that a shell is prepared for; each has a letter.
const maxStores = 16

// rootBuilder keeps the first error.
type rootBuilder struct {
	plan *rootPlan
	err  error
}

func (b *rootBuilder) path(name string) string { return filepath.Join(b.plan.skeleton, name) }

func (b *rootBuilder) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *rootBuilder) folder(name string) {
	path := b.path(name)
	b.note(os.MkdirAll(path, 0o755))
	b.note(os.Chmod(path, 0o755)) // whatever the umask
}

func (b *rootBuilder) file(name, content string) { b.note(writeFile(b.path(name), content)) }

func (b *rootBuilder) link(name, target string) { b.note(os.Symlink(target, b.path(name))) }

// system are the host's programs and libraries.
func (b *rootBuilder) system() {
	for _, name := range []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix/store"} {
		info, err := os.Lstat("/" + name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			b.note(err)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink("/" + name)
			b.note(err)
			b.link(name, target)
		case info.IsDir():
			b.bindFolder("/"+name, name)
		}
	}
}

func (b *rootBuilder) bindFolder(from, to string) {
	b.folder(to)
	b.plan.system = append(b.plan.system, bind{from, to})
}

// etc is generated, apart from what programs need of the host's: certificates,
// the loader's cache, and where alternatives lead.
func (b *rootBuilder) etc(who identity, perShell bool) {
	b.file("etc/hostname", hostName+"\n")
	b.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n")
	for name, content := range accounts(who) {
		if perShell {
			content = "" // a mount point
		}
		b.file("etc/"+name, content)
	}
	for _, name := range []string{"ld.so.cache", "ssl/openssl.cnf", "pki/tls/openssl.cnf", "protocols", "services", "mime.types"} {
		content, err := os.ReadFile("/etc/" + name)
		if err != nil || len(content) > maxCopied {
			continue // not on this host
		}
		b.folder(filepath.Dir("etc/" + name))
		b.file("etc/"+name, string(content))
	}
	folders := []string{"/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/etc/ca-certificates", "/etc/alternatives"}
	java, err := filepath.Glob("/etc/java-*")
	b.note(err)
	for _, from := range append(folders, java...) {
		if info, err := os.Stat(from); err == nil && info.IsDir() {
			b.bindFolder(from, from[1:])
		}
	}
}

// maxCopied bounds a file of the host's /etc that is copied.
const maxCopied = 4 << 20

func (b *rootBuilder) devices() {
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		info, err := os.Stat("/dev/" + name)
		if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
			continue
		}
		b.file("dev/"+name, "")
		b.plan.devices = append(b.plan.devices, name)
	}
	b.link("dev/fd", "/proc/self/fd")
	b.link("dev/stdin", "/proc/self/fd/0")
	b.link("dev/stdout", "/proc/self/fd/1")
	b.link("dev/stderr", "/proc/self/fd/2")
}

// proc decides what of /proc is read-only or hidden, by what this kernel has.
func (b *rootBuilder) proc() {
	for _, name := range []string{"sys", "irq", "bus", "fs", "acpi", "scsi", "mtrr", "pressure", "sysrq-trigger"} {
		if _, err := os.Lstat("/proc/" + name); err == nil {
			b.plan.readOnly = append(b.plan.readOnly, name)
		}
	}
	for _, name := range []string{"kcore", "keys", "key-users", "kmsg", "kallsyms", "timer_list", "timer_stats", "latency_stats", "sched_debug", "config.gz"} {
		if info, err := os.Lstat("/proc/" + name); err == nil && info.Mode().IsRegular() {
			b.plan.hidden = append(b.plan.hidden, name)
		}
	}
}
