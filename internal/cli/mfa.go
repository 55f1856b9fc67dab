package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
)

// terminalPath is the terminal of who has started lamb, wherever standard input
// comes from.
const terminalPath = "/dev/tty"

// askMFA asks at the terminal for the code of a device, which a role wants.
func askMFA(ctx context.Context, serial string) (string, error) {
	tty, err := os.OpenFile(terminalPath, os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("there is no terminal to ask for it: take the role with the AWS CLI, and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
	}
	defer tty.Close()
	if _, err := fmt.Fprintf(tty, "MFA code for %s: ", serial); err != nil {
		return "", err
	}
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	// Ends with the line, or when lamb does: a terminal's read cannot be called
	// back everywhere.
	go func() {
		text, err := bufio.NewReader(tty).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		if l.err != nil {
			return "", fmt.Errorf("read the terminal: %w", l.err)
		}
		return strings.TrimSpace(l.text), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
