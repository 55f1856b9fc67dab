package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/awsclient"
)

// errFunction is returned when a function failed and has been shown already.
var errFunction = errors.New("the function failed")

func newInvoke(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	var (
		target targetFlags
		in     awsclient.Invocation
		event  string
		stream bool
		async  bool
		dry    bool
		noLog  bool
		output outputFlag
	)
	cmd := &cobra.Command{
		Use:   "invoke NAME",
		Short: "Call a function",
		Long: `Call a function of lamb or of AWS. Its answer goes to standard output, the end
of its log to standard error. The exit status is 1 when the function failed.`,
		Args: oneArgument("a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Function = args[0]
			err := output.check()
			if err != nil {
				return err
			}
			if in.Payload, err = readEvent(event, stdin); err != nil {
				return err
			}
			if err := checkClientContext(in.ClientContext); err != nil {
				return err
			}
			if n := len(slices.DeleteFunc([]bool{async, dry, stream}, func(given bool) bool { return !given })); n > 1 {
				return usageError{errors.New("--async, --dry-run and --stream exclude each other")}
			}
			if stream && output.json() {
				return usageError{errors.New("--stream prints the answer as it is: leave out --output json")}
			}
			switch {
			case async:
				in.Type = "Event"
			case dry:
				in.Type = "DryRun"
			}
			in.Tail = !noLog && in.Type == ""
			c, err := target.open(cmd.Context())
			if err != nil {
				return err
			}
			if output.json() {
				return invokeJSON(cmd.Context(), c, in, stdout)
			}
			return invoke(cmd.Context(), c, in, stream, stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&event, "event", "e", "", "the `event`: JSON, @file, or - for standard input (default: {})")
	f.StringVar(&in.Qualifier, "qualifier", "", "`version` or alias")
	f.StringVar(&in.ClientContext, "client-context", "", "client context, `JSON`")
	f.StringVar(&in.TenantID, "tenant", "", "tenant's `id`, for functions that isolate tenants")
	f.BoolVar(&stream, "stream", false, "print the answer as it arrives (InvokeWithResponseStream)")
	f.BoolVar(&async, "async", false, "do not wait for the function (invocation type Event)")
	f.BoolVar(&dry, "dry-run", false, "only check that it could be called")
	f.BoolVar(&noLog, "no-log", false, "do not print the log")
	target.add(cmd)
	output.add(cmd)
	cmd.ValidArgsFunction = target.functionNames
	return cmd
}

func invoke(ctx context.Context, c *awsclient.Client, in awsclient.Invocation, stream bool, stdout, stderr io.Writer) error {
	var (
		a   *awsclient.Answer
		err error
	)
	if stream {
		a, err = c.InvokeStream(ctx, in, stdout)
	} else {
		a, err = c.Invoke(ctx, in)
	}
	if err != nil {
		return err
	}
	colour := coloursFor(stderr)
	if a.Log != "" {
		fmt.Fprint(stderr, colour.paint(dim, strings.TrimRight(a.Log, "\n")), "\n")
	}
	switch in.Type {
	case "Event":
		fmt.Fprintf(stderr, "accepted as %s\n", a.RequestID)
		return nil
	case "DryRun":
		fmt.Fprintln(stderr, "it could be called")
		return nil
	}
	if len(a.Payload) > 0 {
		if _, err := fmt.Fprintf(stdout, "%s\n", strings.TrimRight(string(a.Payload), "\n")); err != nil {
			return err
		}
	} else if stream {
		fmt.Fprintln(stdout)
	}
	if a.FunctionError != "" {
		fmt.Fprintln(stderr, colour.paint(red, "function error: "+a.FunctionError))
		return errFunction
	}
	return nil
}

// invokeJSON is invoke for a program to read.
func invokeJSON(ctx context.Context, c *awsclient.Client, in awsclient.Invocation, stdout io.Writer) error {
	a, err := c.Invoke(ctx, in)
	if err != nil {
		return err
	}
	payload, err := jsonOf(a.Payload)
	if err != nil {
		return err
	}
	if err := writeJSON(stdout, struct {
		StatusCode      int             `json:"statusCode"`
		ExecutedVersion string          `json:"executedVersion,omitempty"`
		FunctionError   string          `json:"functionError,omitempty"`
		RequestID       string          `json:"requestId"`
		Payload         json.RawMessage `json:"payload"`
		Log             string          `json:"log,omitempty"`
	}{a.Status, a.ExecutedVersion, a.FunctionError, a.RequestID, payload, a.Log}); err != nil {
		return err
	}
	if a.FunctionError != "" {
		return errFunction
	}
	return nil
}

// readEvent reads an event that was given as JSON, @file or -.
func readEvent(given string, stdin io.Reader) ([]byte, error) {
	var (
		b   []byte
		err error
	)
	switch {
	case given == "":
		return []byte("{}"), nil
	case given == "-":
		b, err = io.ReadAll(stdin)
	case given[0] == '@':
		b, err = os.ReadFile(given[1:])
	default:
		b = []byte(given)
	}
	if err != nil {
		return nil, fmt.Errorf("the event: %w", err)
	}
	if !json.Valid(b) {
		var any any
		return nil, fmt.Errorf("the event is no JSON (%w): give JSON, @file, or - for standard input", json.Unmarshal(b, &any))
	}
	return b, nil
}

// checkClientContext refuses a client context that no service takes.
func checkClientContext(text string) error {
	if text != "" && !json.Valid([]byte(text)) {
		return usageError{errors.New("--client-context is no JSON")}
	}
	return nil
}
