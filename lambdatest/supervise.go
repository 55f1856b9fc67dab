package lambdatest

import "github.com/lambhq/lamb/internal/sandbox/process"

// Supervise, called first in TestMain, lets a second process of the tests'
// binary start the programs of Exec, on Linux: then whatever they leave behind
// ends with their environment, and all of it with the tests, even if these are
// killed. Without it, processes that leave their process group escape.
func Supervise() { process.MaybeSupervise() }
