package lambda

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// localTimeout is the deadline of an event outside Lambda: the longest that a
// function can have.
const localTimeout = 15 * time.Minute

// runLocally handles one event without a Runtime API: from the file that args
// name, or from stdin. The answer goes to stdout, with a line feed.
func runLocally(b *bound, args []string, stdin io.Reader, stdout io.Writer) error {
	payload, err := readEvent(args, stdin)
	if err != nil {
		return err
	}
	if b.invalid != nil {
		return b.invalid
	}
	ctx, err := newInvocation(b.base, localInvocation())
	if err != nil {
		return err
	}
	defer ctx.finish()
	for _, hook := range b.init {
		if failed := call(func() error { return hook(ctx) }); failed != nil {
			return describe(failed)
		}
	}
	r := newResult(b.codec)
	r.stream.open = func(string) (sink, error) { return printer{stdout}, nil }
	defer r.release()
	failed := call(func() error {
		if err := b.call(ctx, payload, r); err != nil || r.reader == nil {
			return err
		}
		_, err := io.Copy(stdout, r.reader)
		return err
	})
	if failed != nil {
		return describe(failed)
	}
	_, err = fmt.Fprintf(stdout, "%s\n", r.body)
	return err
}

// readEvent reads the event.
func readEvent(args []string, stdin io.Reader) ([]byte, error) {
	switch {
	case len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-"):
		return nil, errors.New("outside Lambda, a function takes one argument: the file with the event; without one, it reads standard input")
	case len(args) == 1:
		return os.ReadFile(args[0])
	}
	if f, ok := stdin.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintln(os.Stderr, "Outside Lambda: the event, please, and Ctrl-D.")
		}
	}
	return io.ReadAll(stdin)
}

// localInvocation stands in for what Lambda says of an event.
func localInvocation() *runtimeapi.Invocation {
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = "us-east-1"
	}
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return &runtimeapi.Invocation{
		RequestID:          fmt.Appendf(nil, "%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
		DeadlineMs:         fmt.Appendf(nil, "%d", time.Now().Add(localTimeout).UnixMilli()),
		InvokedFunctionARN: fmt.Appendf(nil, "arn:aws:lambda:%s:012345678912:function:%s", region, name),
	}
}

// describe is an error as Lambda would have it.
func describe(e *Error) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return errors.New(string(text))
}

// printer is a streamed answer's way to standard output.
type printer struct{ io.Writer }

func (printer) Close() error        { return nil }
func (printer) Fail(*failure) error { return nil } // the error is printed
func (printer) Abort()              {}
