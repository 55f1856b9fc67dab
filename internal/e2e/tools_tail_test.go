package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// secondCLI is version 2 of the AWS CLI; Debian's package may be beside version
// 1 on PATH.
func secondCLI(t *testing.T) string {
	t.Helper()
	for _, aws := range []string{"aws", "/usr/bin/aws"} {
		if out, err := exec.Command(aws, "--version").Output(); err == nil && strings.HasPrefix(string(out), "aws-cli/2.") {
			return aws
		}
	}
	t.Skip("there is no version 2 of the AWS CLI, and version 1 has no logs tail")
	return ""
}

// TestLogsTail follows a function's log with the AWS CLI: what was logged
// before, what is logged meanwhile, and nothing twice.
func TestLogsTail(t *testing.T) {
	t.Parallel()
	if here != (world{}) {
		t.Skip("the CLI asks every five seconds, and logs are the same in every world: once is enough")
	}
	aws := secondCLI(t)
	l := startLamb(t, "--ephemeral")
	name := l.goFn(t, "logs-tail", "print")
	l.invoke(t, name, `["the first line"]`)
	cmd := exec.Command(aws, "--endpoint-url", l.URL, "logs", "tail", "/aws/lambda/"+name, "--follow", "--since", "1h", "--format", "short", "--filter-pattern", "line")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=", "PYTHONUNBUFFERED=1")
	c, err := startCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	c.stdout.lines(t, "the first line", 1)
	l.invoke(t, name, `["the second line"]`)
	c.stdout.lines(t, "the second line", 1)
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	c.exitCode(t)
	if got := strings.Count(c.stdout.String(), " line\n"); got != 2 {
		t.Errorf("it shows %d lines:\n%s", got, c.stdout)
	}
}
