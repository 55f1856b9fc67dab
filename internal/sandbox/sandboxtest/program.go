//go:build unix

package sandboxtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// programArg is the first argument of a test binary that is to be the program
// inside a sandbox; the others are actions, done one after the other.
const programArg = "sandboxtest-program"

// maybeProgram runs the actions and exits when this process is the program.
func maybeProgram() {
	if len(os.Args) < 2 || os.Args[1] != programArg {
		return
	}
	p := &program{}
	for _, action := range os.Args[2:] {
		if err := p.do(action); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", action, err)
			quit(100)
		}
	}
	quit(0)
}

// quit ends the process at once: os.Exit takes a second under the race
// detector.
func quit(code int) { unix.Exit(code) }

// program is the state of the program between its actions.
type program struct {
	conn  net.Conn // of dial
	lines *bufio.Reader
	held  []*os.File // locked until the process ends
	ram   []byte
}

// do does one action, written verb:argument.
func (p *program) do(action string) error {
	verb, arg, _ := strings.Cut(action, ":")
	switch verb {
	case "say":
		_, err := fmt.Println(arg)
		return err
	case "complain":
		_, err := fmt.Fprintln(os.Stderr, arg)
		return err
	case "log": // to a descriptor: log:NUMBER=TEXT
		number, text, _ := strings.Cut(arg, "=")
		fd, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		_, err = unix.Write(fd, []byte(text+"\n"))
		return err
	case "exit":
		code, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		quit(code)
	case "wait":
		time.Sleep(time.Hour)
	case "raise":
		sig, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		if err := syscall.Kill(os.Getpid(), syscall.Signal(sig)); err != nil {
			return err
		}
		time.Sleep(time.Hour)
	case "spawn", "orphan", "daemon", "run":
		return spawn(verb, arg)
	case "hold":
		return p.hold(arg)
	case "dial", "hear", "tell":
		return p.talk(verb, arg)
	case "serve":
		return serve(arg)
	case "barrier":
		return p.barrier(arg)
	case "alloc":
		return p.alloc(arg)
	default:
		return report(verb, arg)
	}
	return nil
}

// report prints what the process sees of its surroundings.
func report(verb, arg string) error {
	switch verb {
	case "environment":
		for _, kv := range os.Environ() {
			fmt.Printf("%q\n", kv)
		}
	case "stdin":
		n, err := io.Copy(io.Discard, os.Stdin)
		if err != nil {
			return err
		}
		fmt.Println(n)
	case "read":
		b, err := os.ReadFile(arg)
		if err != nil {
			fmt.Println("error:", err)
			return nil
		}
		fmt.Printf("%s\n", b)
	case "write":
		path, text, _ := strings.Cut(arg, "=")
		return os.WriteFile(path, []byte(text), 0o600)
	case "descriptors":
		return descriptors()
	case "list":
		entries, err := os.ReadDir(arg)
		for _, e := range entries {
			fmt.Println(e.Name())
		}
		return err
	case "limits":
		var files syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
			return err
		}
		fmt.Println(files.Max)
	case "flood":
		return flood(arg)
	case "tick":
		for n := 0; ; n++ {
			fmt.Println(arg, n)
			time.Sleep(200 * time.Microsecond)
		}
	default:
		return fmt.Errorf("unknown action %q", verb)
	}
	return nil
}

// spawn starts the program again with the actions in arg, separated by |.
// "spawn" leaves it running as a child, "run" waits for its end, "orphan"
// leaves it without its parent, "daemon" also in a session of its own.
func spawn(verb, arg string) error {
	actions := strings.Split(arg, "|")
	args := append([]string{os.Args[0], programArg}, actions...)
	attr := &os.ProcAttr{Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}}
	if verb == "orphan" || verb == "daemon" {
		// The child ends at once; what it has spawned is the orphan. A child
		// that leads a new session makes that a daemon.
		args = append([]string{os.Args[0], programArg}, "spawn:"+arg, "exit:0")
		attr.Sys = &syscall.SysProcAttr{Setsid: verb == "daemon"}
	}
	child, err := os.StartProcess(os.Args[0], args, attr)
	if err != nil {
		return err
	}
	if verb == "spawn" {
		return child.Release()
	}
	_, err = child.Wait()
	return err
}

// hold locks a file beside the program until the process ends.
func (p *program) hold(name string) error {
	f, err := os.Open(filepath.Join(filepath.Dir(os.Args[0]), name))
	if err != nil {
		return err
	}
	p.held = append(p.held, f)
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
}

// talk connects to the sandbox's listener ("dial"), sends a line ("tell") or
// waits for one ("hear").
func (p *program) talk(verb, arg string) error {
	switch verb {
	case "dial":
		conn, err := net.Dial("tcp", arg)
		if err != nil {
			return err
		}
		p.conn, p.lines = conn, bufio.NewReader(conn)
		return nil
	case "tell":
		_, err := fmt.Fprintln(p.conn, arg)
		return err
	}
	line, err := p.lines.ReadString('\n')
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(line); got != arg {
		return fmt.Errorf("heard %q", got)
	}
	return nil
}

// serve listens on the address in ADDRESS=NAME, prints "port N" and answers
// every line of every connection by its name and the line.
func serve(arg string) error {
	address, name, _ := strings.Cut(arg, "=")
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	fmt.Println("port", l.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				// Whoever dialled tells when it is missing.
				fmt.Fprintln(conn, name, lines.Text())
			}
		}()
	}
}

// barrier prints, arg times, a line that it hears, and then tells it back.
func (p *program) barrier(arg string) error {
	rounds, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	for range rounds {
		line, err := p.lines.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString(line); err != nil {
			return err
		}
		if _, err := io.WriteString(p.conn, line); err != nil {
			return err
		}
	}
	return nil
}

// alloc keeps arg MiB of memory in use.
func (p *program) alloc(arg string) error {
	mib, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	p.ram = make([]byte, mib<<20)
	for i := 0; i < len(p.ram); i += 4096 {
		p.ram[i] = 1
	}
	return nil
}

// flood writes arg MiB of consecutive 64-bit numbers to stdout; after each
// MiB it says so on stderr.
func flood(arg string) error {
	mib, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	next := uint64(0)
	for i := range mib * 16 {
		for at := 0; at < len(block); at += 8 {
			binary.BigEndian.PutUint64(block[at:], next)
			next++
		}
		if _, err := os.Stdout.Write(block); err != nil {
			return err
		}
		if i%16 == 15 {
			fmt.Fprintln(os.Stderr, i/16+1)
		}
	}
	return nil
}

// descriptors prints device, inode and type of each open descriptor.
func descriptors() error {
	for fd := range 1024 {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil {
			fmt.Println(fd, uint64(st.Dev), st.Ino, st.Mode&syscall.S_IFMT)
		}
	}
	return nil
}
