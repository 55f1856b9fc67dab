// Package lambdatest tests functions, runtimes and extensions in an execution
// environment like AWS Lambda's, on the engine that lamb runs functions with:
// the Runtime, Extensions, Telemetry and Logs APIs, AWS's timeouts, limits,
// error types and log lines. It needs no server, no container and no network.
//
//	func TestGreet(t *testing.T) {
//		env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet)})
//		res := env.Call(Request{Name: "Ada"})
//		if string(res.Payload) != `"hello Ada"` {
//			t.Errorf("answer %s", res.Payload)
//		}
//	}
//
// What runs in the environment are Programs: a Handler in the test's own
// process, a Go function that speaks the APIs itself, any executable, or a
// process that the test starts with the variables of Environ. The runtime is
// one; each of any number of extensions is one more.
//
// Timeouts are enforced on all of them, as on AWS. Memory is on executables, in
// lamb's sandbox: see Config.Isolate.
//
// New begins the init and returns at once; everything ends with the test.
// Invoke, Call and the methods that wait say when something has happened, so
// tests do not sleep. Where time matters, a Clock makes it the test's own.
//
// Methods that cannot do what they should end the test (TB.Fatalf). Failures of
// the function are results, as they are for callers of Lambda.
//
// Package lambdatest/server runs the whole of lamb for tests that use an AWS
// SDK, and lambdatest/conform checks runtimes and extensions against AWS's
// rules.
package lambdatest
