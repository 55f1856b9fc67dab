// Command logshipper is an example of an extension: it writes every line that
// the function logs to a file, with the time and the request, as JSON lines.
// Real ones send them somewhere.
//
// It is deployed as a layer: a zip with the program as extensions/logshipper.
// The variable LOGSHIPPER_FILE of the function says where to write; without it,
// that is /tmp/function.log.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/extension/telemetry"
)

// batchEvery is how often telemetry comes, at most.
const batchEvery = 25 * time.Millisecond

func main() {
	s := &shipper{}
	extension.Start(&extension.Extension{Init: s.open, Shutdown: s.close})
}

// shipper writes what it receives to a file.
type shipper struct {
	receiver *telemetry.Receiver
	file     *os.File
	out      *json.Encoder
	request  string // the last that was started
	cancel   context.CancelFunc
	done     chan error // of the goroutine that ships
}

// line is what is written.
type line struct {
	Time      time.Time       `json:"time"`
	RequestID string          `json:"requestId,omitempty"`
	Message   string          `json:"message,omitempty"`
	Record    json.RawMessage `json:"record,omitempty"` // of a function that logs JSON
}

// open listens, subscribes and begins to write.
func (s *shipper) open(_ context.Context, c *extension.Client, _ *extension.Registration) (err error) {
	path := os.Getenv("LOGSHIPPER_FILE")
	if path == "" {
		path = filepath.Join(os.TempDir(), "function.log")
	}
	if s.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return &extension.Fault{Type: "Extension.ConfigInvalid", Err: err}
	}
	s.out = json.NewEncoder(s.file)
	if s.receiver, err = telemetry.ListenHTTP(0); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.ship(ctx) }()
	return c.Subscribe(extension.Subscription{
		Streams:     []extension.Stream{extension.Platform, extension.Function},
		Timeout:     batchEvery,
		Destination: s.receiver.Destination(),
	})
}

// ship writes until ctx is done and nothing has come for a while.
func (s *shipper) ship(ctx context.Context) error {
	closing := ctx.Done()
	var quiet <-chan time.Time
	for {
		select {
		case batch := <-s.receiver.Batches():
			for _, e := range batch {
				if err := s.write(e); err != nil {
					return err
				}
			}
		case <-closing:
			closing = nil
		case <-quiet:
			return nil
		}
		if closing == nil {
			quiet = time.After(4 * batchEvery)
		}
	}
}

// write writes a line of the function's, and remembers whose the next are.
func (s *shipper) write(e telemetry.Event) error {
	switch record := e.Record.(type) {
	case *telemetry.Start:
		s.request = record.RequestID
	case *telemetry.Log:
		l := line{Time: e.Time, RequestID: s.request, Record: record.JSON}
		if record.JSON == nil {
			l.Message = record.Text
		}
		return s.out.Encode(l)
	}
	return nil
}

// close waits for what is still to come, within the time that there is.
func (s *shipper) close(ctx context.Context, _ *extension.ShutdownEvent) error {
	s.cancel()
	select {
	case err := <-s.done:
		return errors.Join(err, s.receiver.Close(), s.file.Sync(), s.file.Close())
	case <-ctx.Done():
		return ctx.Err()
	}
}
