package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"

	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// Error is what a caller gets of an error. A handler that returns one decides
// about all of it; of any other error, Message is what it says and Type the
// name of its Go type.
type Error struct {
	Message    string        `json:"errorMessage"`
	Type       string        `json:"errorType"`
	StackTrace []*StackFrame `json:"stackTrace,omitempty"`
	// ShouldExit has the process exit when the error has been reported, so that
	// the next event finds a new one.
	ShouldExit bool `json:"-"`
}

// Error is the type and the message.
func (e Error) Error() string { return e.Type + ": " + e.Message }

// StackFrame is a line of a stack trace.
type StackFrame struct {
	// Path of the source file, from the root of its module or GOPATH.
	Path string `json:"path"`
	Line int32  `json:"line"`
	// Label is the function, without its package.
	Label string `json:"label"`
}

// fromError is a handler's error as the caller gets it.
func fromError(err error) *Error {
	switch e := err.(type) {
	case Error:
		return &e
	case *Error:
		return e
	}
	return &Error{Message: err.Error(), Type: typeName(err)}
}

// typeName is the name of a value's type, or of what it points to. Types
// without a name have none.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// maxFrames is how many lines of its stack trace a panic is reported with.
const maxFrames = 32

// fromPanic is a panic's value as the caller gets it. It is called by the
// deferred function that has recovered.
func fromPanic(value any) *Error {
	if e, ok := value.(Error); ok {
		return &e
	}
	return &Error{Message: fmt.Sprint(value), Type: typeName(value), StackTrace: panicStack(), ShouldExit: true}
}

// panicStack is the stack from where the panic arose.
func panicStack() []*StackFrame {
	callers := make([]uintptr, 2*maxFrames)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	var stack []*StackFrame
	for panicking := false; ; {
		frame, more := frames.Next()
		switch {
		case !panicking:
			panicking = frame.Function == "runtime.gopanic" // by what comes next
		case len(stack) == maxFrames:
		case len(stack) == 0 && strings.HasPrefix(frame.Function, "runtime."):
			// How the runtime panics about a nil pointer and the like.
		default:
			stack = append(stack, newFrame(frame))
		}
		if !more {
			return stack
		}
	}
}

// newFrame shortens a frame: of the file's path, what the function's package
// is known by; of the function, what comes after it.
func newFrame(f runtime.Frame) *StackFrame {
	path := f.File
	at := len(path)
	for range strings.Count(f.Function, "/") + 2 {
		if at = strings.LastIndexByte(path[:at], '/'); at < 0 {
			break // a shorter path than its package's: all of it
		}
	}
	label := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
	return &StackFrame{Path: path[at+1:], Line: int32(f.Line), Label: label[strings.IndexByte(label, '.')+1:]}
}

// xrayCause is an error as AWS X-Ray takes it.
type xrayCause struct {
	WorkingDirectory string          `json:"working_directory"`
	Exceptions       []xrayException `json:"exceptions"`
	Paths            []string        `json:"paths"`
}

type xrayException struct {
	Type    string        `json:"type"`
	Message string        `json:"message"`
	Stack   []*StackFrame `json:"stack"`
}

// newCause describes e.
func newCause(e *Error) *xrayCause {
	cause := &xrayCause{Exceptions: []xrayException{{e.Type, e.Message, e.StackTrace}}, Paths: []string{}}
	cause.WorkingDirectory, _ = os.Getwd() // it may have been removed
	if e.StackTrace == nil {
		cause.Exceptions[0].Stack = []*StackFrame{}
	}
	seen := map[string]bool{}
	for _, frame := range e.StackTrace {
		if !seen[frame.Path] {
			seen[frame.Path] = true
			cause.Paths = append(cause.Paths, frame.Path)
		}
	}
	return cause
}

// failure is an error, encoded for the Runtime API.
type failure = runtimeapi.Failure

// newFailure encodes e. Its type goes into the header with the category that
// the service knows it by, unless it names one itself.
func newFailure(e *Error) (*failure, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	cause, err := json.Marshal(newCause(e))
	return &failure{Type: category(e.Type), Body: body, XRayCause: cause}, err
}

// category prefixes an error's type, if it has none, with "Function.".
func category(name string) string {
	if name == "" || strings.HasPrefix(name, "Runtime.") || strings.HasPrefix(name, "Function.") {
		return name
	}
	return "Function." + name
}

// isStatus tells whether err is a refusal of the Runtime API with a status.
func isStatus(err error, status int) bool {
	refused := (*runtimeapi.Error)(nil)
	return errors.As(err, &refused) && refused.Status == status
}
