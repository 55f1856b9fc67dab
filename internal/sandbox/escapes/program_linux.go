package escapes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// programArg is the first argument of a test binary that is to be the program
// inside a sandbox; the second is its Target.
const programArg = "escapes-program"

// Target is what the program tries to reach: the test makes these on the
// host, and checks that they can be reached from there.
type Target struct {
	Secret   string // a file of the host
	Data     string // a folder of lamb's
	OtherTmp string // on the host, the /tmp of another sandbox
	OtherAPI string // where another sandbox has its Runtime API
	TCP      string // an address where the host listens
	Local    string // the same by another address of the host; empty without
	Unix     string // a unix socket, a path on the host
	Abstract string // the name of an abstract unix socket on the host
	Pid      int    // a process of the host, of the same user as lamb
	SetUID   string // a program that is set-user-ID and prints its user
	Shm      int    // a System V shared memory segment of the host
}

// Attempt is one try. Its function returns nil when it has got what it wants.
type Attempt struct {
	Name string
	try  func(Target) error
}

// Args are the arguments that make a test binary the program.
func Args(t Target) ([]string, error) {
	b, err := json.Marshal(t)
	return []string{programArg, string(b)}, err
}

// MaybeRun runs all attempts and exits, when this process is the program: a
// test's TestMain calls it first. For each attempt it prints a line: its name,
// a tab, and "escaped" or why not.
func MaybeRun() {
	if len(os.Args) != 3 || os.Args[1] != programArg {
		return
	}
	var t Target
	if err := json.Unmarshal([]byte(os.Args[2]), &t); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, a := range Attempts() {
		err := a.try(t)
		text := Escaped
		if err != nil {
			text = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Printf("%s\t%s\n", a.Name, text)
	}
	os.Exit(0)
}

// greeting is what the other sandbox's Runtime API says.
const greeting = "this is another's"

// Escaped is the result of an attempt that succeeded.
const Escaped = "escaped"

// errRefused is for attempts whose refusal is no error of a system call.
var errRefused = errors.New("refused")

// Attempts lists all.
func Attempts() []Attempt {
	var all []Attempt
	for _, group := range [][]Attempt{files(), processes(), namespaces(), kernel(), privileges(), network()} {
		all = append(all, group...)
	}
	return all
}
