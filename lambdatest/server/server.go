// Package server runs the whole of lamb on a free port, for tests of programs
// that speak to AWS Lambda with an AWS SDK:
//
//	func TestDeploy(t *testing.T) {
//		lamb := server.New(t, server.Config{})
//		client := lambda.New(lambda.Options{
//			BaseEndpoint: aws.String(lamb.URL()),
//			Region:       lamb.Region(),
//			Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
//		})
//		...
//	}
//
// Each has records and code of its own, in a temporary folder. Functions are
// processes of this machine without isolation, so they start quickly and
// anywhere: test code that you trust. Call lambdatest.Supervise in TestMain, and
// whatever they leave behind ends with the tests.
package server

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/server"
	"github.com/lambhq/lamb/lambdatest"
)

// drain is how long invocations in flight have when a test ends.
const drain = 5 * time.Second

// Config is what a server is made from; nothing of it is needed.
type Config struct {
	// Region is us-east-1 and Account 000000000000 where they are empty. Both
	// are those of clients whose credentials name none.
	Region, Account string
	// Isolate runs functions in lamb's sandboxes, with AWS's limits on memory,
	// processors and processes, instead of as processes of this machine. It
	// ends the test where that cannot be had: see lambdatest.CanIsolate.
	Isolate bool
	// Concurrency is the account's limit of invocations at a time, AWS's 1,000
	// when zero.
	Concurrency int
	// KeepAlive is how long idle environments are kept, lamb's default when
	// zero.
	KeepAlive time.Duration
	// Interpreters are those of managed runtimes, by name ("python3.12");
	// otherwise they are looked for in PATH.
	Interpreters map[string]string
	// AWSEndpoint is where functions find the other AWS services; may be empty.
	AWSEndpoint string
	// Logs takes the functions' log lines, and Log lamb's own messages; nil
	// discards them.
	Logs io.Writer
	Log  *slog.Logger
}

// Server is a running lamb.
type Server struct {
	t      lambdatest.TB
	region string
	lamb   *server.Server
	once   sync.Once
}

// New starts a server, which ends with the test. It ends the test if it cannot.
func New(t lambdatest.TB, cfg Config) *Server {
	t.Helper()
	kind := server.SandboxProcess
	if cfg.Isolate {
		if err := lambdatest.CanIsolate(); err != nil { // a sandbox may do without limits
			t.Fatalf("lambdatest/server: %v", err)
		}
		kind = server.SandboxNative
	}
	if cfg.Region == "" {
		cfg.Region = server.DefaultRegion
	}
	lamb, err := server.Start(t.Context(), server.Config{
		Listen: "127.0.0.1:0", Ephemeral: true, Region: cfg.Region, Account: cfg.Account,
		Sandbox: kind, RequireIsolation: cfg.Isolate, Shells: -1,
		Interpreters: cfg.Interpreters, KeepAlive: cfg.KeepAlive, Concurrency: cfg.Concurrency,
		AWSEndpoint: cfg.AWSEndpoint, Drain: drain, FunctionLogs: cfg.Logs, Log: cfg.Log, Version: "test",
	})
	if err != nil {
		t.Fatalf("lambdatest/server: %v", err)
	}
	s := &Server{t: t, region: cfg.Region, lamb: lamb}
	t.Cleanup(s.Close)
	return s
}

// URL is the endpoint for clients: http://127.0.0.1:PORT.
func (s *Server) URL() string { return s.lamb.URL() }

// Region is where clients' requests act.
func (s *Server) Region() string { return s.region }

// Close ends the server, as the end of the test does: invocations in flight
// have five seconds.
func (s *Server) Close() {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		if err := s.lamb.Close(ctx); err != nil {
			s.t.Errorf("lambdatest/server: close: %v", err)
		}
	})
}
