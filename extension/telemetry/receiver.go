// Package telemetry receives what Lambda's Telemetry API sends to extensions,
// as typed events.
//
//	receiver, err := telemetry.ListenHTTP(0)
//	...
//	client.Subscribe(extension.Subscription{Destination: receiver.Destination()})
//	for e := range receiver.Events() {
//		switch record := e.Record.(type) {
//		case *telemetry.Log:
//		case *telemetry.Report:
//		}
//	}
//
// See https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
package telemetry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lambhq/lamb/extension"
)

const (
	// maxBatch is how long a batch may be, in bytes: twice the largest MaxBytes,
	// with room for what is around.
	maxBatch = 4 << 20
	// namePatience is how long the environment's name may take to be found.
	namePatience = time.Second
	// headerPatience is how long a request's head may take.
	headerPatience = 10 * time.Second
	// maxConns is how many connections over TCP are read at once.
	maxConns = 16
)

// Receiver is a listener for telemetry. A batch is taken from the service when
// all of those before have been read: who reads slowly has the service wait,
// and in the end drop events and say so ([LogsDropped]).
type Receiver struct {
	listener    net.Listener
	destination extension.Destination
	batches     chan []Event
	closing     chan struct{} // closed by Close
	closed      sync.Once
	serving     sync.WaitGroup
	stop        func() error // ends what serves
	err         error        // what ended serving, if not Close
}

// sandboxHost is the environment's own name for itself, to which telemetry goes.
const sandboxHost = "sandbox.localdomain"

// ListenHTTP listens for batches over HTTP: the service tries again where a
// batch has not arrived. Port 0 chooses one; 9001 is the service's.
func ListenHTTP(port int) (*Receiver, error) {
	r, err := listen(port)
	if err != nil {
		return nil, err
	}
	r.destination.URI = fmt.Sprintf("http://%s:%d", sandboxHost, r.destination.Port)
	r.destination.Port = 0
	server := &http.Server{Handler: http.HandlerFunc(r.take), ReadHeaderTimeout: headerPatience}
	r.stop = server.Close
	r.serve(func() error { return server.Serve(r.listener) })
	return r, nil
}

// ListenTCP listens for events over TCP, one a line. Port 0 chooses one.
func ListenTCP(port int) (*Receiver, error) {
	r, err := listen(port)
	if err != nil {
		return nil, err
	}
	r.stop = r.listener.Close
	r.serve(r.accept)
	return r, nil
}

// listen listens where the service sends to; outside an environment with a name
// of its own, that is the loopback.
func listen(port int) (*Receiver, error) {
	ctx, cancel := context.WithTimeout(context.Background(), namePatience)
	defer cancel()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("%s:%d", sandboxHost, port))
	if unknown := (*net.DNSError)(nil); errors.As(err, &unknown) || ctx.Err() != nil {
		l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}
	if err != nil {
		return nil, err
	}
	r := &Receiver{listener: l, batches: make(chan []Event), closing: make(chan struct{})}
	r.destination.Port = l.Addr().(*net.TCPAddr).Port
	return r, nil
}

// Addr is where it listens.
func (r *Receiver) Addr() net.Addr { return r.listener.Addr() }

// serve runs what serves until it ends; the channel ends with it.
func (r *Receiver) serve(f func() error) {
	r.serving.Go(func() {
		err := f()
		select {
		case <-r.closing:
		default:
			r.err = err
		}
	})
}

// Destination is what a subscription names.
func (r *Receiver) Destination() extension.Destination { return r.destination }

// Batches are the events as they come. The channel is never closed: who reads
// it also waits for whatever ends it, such as the extension's shutdown.
func (r *Receiver) Batches() <-chan []Event { return r.batches }

// Events are all events, one after the other, until Close.
func (r *Receiver) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			select {
			case batch := <-r.batches:
				for _, e := range batch {
					if !yield(e) {
						return
					}
				}
			case <-r.closing:
				return
			}
		}
	}
}

// Close stops listening and waits for what serves. Events that have not been
// read are lost.
func (r *Receiver) Close() error {
	var err error
	r.closed.Do(func() {
		close(r.closing)
		err = r.stop()
	})
	r.serving.Wait()
	return errors.Join(r.err, err)
}

// put hands a batch to the reader; it is false if there will be none.
func (r *Receiver) put(batch []Event) bool {
	if len(batch) == 0 {
		return true
	}
	select {
	case r.batches <- batch:
		return true
	case <-r.closing:
		return false
	}
}

// take takes a batch over HTTP.
func (r *Receiver) take(w http.ResponseWriter, request *http.Request) {
	var batch []Event
	err := json.NewDecoder(http.MaxBytesReader(w, request.Body, maxBatch)).Decode(&batch)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case !r.put(batch):
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// accept takes connections over TCP.
func (r *Receiver) accept() error {
	var reading sync.WaitGroup
	defer reading.Wait()
	room := make(chan struct{}, maxConns)
	for {
		select {
		case room <- struct{}{}:
		case <-r.closing:
			return nil
		}
		c, err := r.listener.Accept()
		if err != nil {
			return err
		}
		reading.Go(func() {
			defer func() { <-room }()
			over := make(chan struct{})
			defer close(over)
			reading.Go(func() {
				select {
				case <-r.closing:
				case <-over:
				}
				_ = c.Close() // the end of the read is what is wanted
			})
			r.read(c)
		})
	}
}

// read reads lines. What is no event ends the connection: there is nobody to
// tell.
func (r *Receiver) read(c io.Reader) {
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxBatch)
	for lines.Scan() {
		var e Event
		if len(lines.Bytes()) == 0 {
			continue
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil || !r.put([]Event{e}) {
			return
		}
	}
}
