package lambdatest

import "context"

// TB is what this package needs of *testing.T, *testing.B and *testing.F. It is
// an interface so that programs can use the package without linking testing.
type TB interface {
	Helper()
	Name() string
	Context() context.Context
	Cleanup(func())
	TempDir() string
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}
