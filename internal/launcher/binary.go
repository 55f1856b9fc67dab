package launcher

import (
	"debug/elf"
	"fmt"
)

// foreignBinary says in a sentence why a compiled bootstrap cannot run on
// this host, or is empty when it may: it is a script, or built for this system.
func foreignBinary(path, goos, goarch string) string {
	f, err := elf.Open(path)
	if err != nil {
		return "" // not an ELF file: the system decides
	}
	defer f.Close()
	if goos != "linux" {
		return fmt.Sprintf("the bootstrap is a Linux binary and this host runs %s: run lamb on Linux, or use a script or a managed runtime", goos)
	}
	built := map[elf.Machine]string{elf.EM_X86_64: "x86_64", elf.EM_AARCH64: "arm64"}[f.Machine]
	host := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[goarch]
	if built == host {
		return ""
	}
	if built == "" {
		built = f.Machine.String()
	}
	return fmt.Sprintf("the bootstrap is built for %s and this host is %s: build it for %s", built, host, host)
}
