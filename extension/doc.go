// Package extension writes extensions for AWS Lambda, and for lamb: programs
// that run beside a function in its environment and get its events' INVOKE and
// SHUTDOWN.
//
//	func main() {
//		extension.Start(&extension.Extension{
//			Invoke:   func(ctx context.Context, e *extension.InvokeEvent) error { ... },
//			Shutdown: func(ctx context.Context, e *extension.ShutdownEvent) error { ... },
//		})
//	}
//
// The program goes into a layer, as an executable file directly in the folder
// extensions. [Extension] with Internal set runs inside a function's process
// instead. [Client] is what both are made of. What the function and the
// platform log is in package telemetry below.
//
// It uses the standard library only, and not net/http.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
package extension
