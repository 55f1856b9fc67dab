package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/lambhq/lamb/extension"
)

// Subscriber is an extension that subscribes to telemetry and hands every batch
// on, which it acknowledges when the channel has taken it: a test that takes
// none makes it a slow one. s is what it asks for; its Destination is made up.
// It registers for SHUTDOWN, and ends then.
func Subscriber(s extension.Subscription, batches chan<- []Event) Program {
	return Go(func(ctx context.Context, p *Process) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handOn(ctx, batches)}
		go func() { _ = server.Serve(l) }() // ends with Close
		defer server.Close()
		s.Destination = extension.Destination{URI: fmt.Sprintf("http://sandbox.localdomain:%d", l.Addr().(*net.TCPAddr).Port)}
		client := &extension.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		if _, err := client.Register(p.Name, []extension.EventType{extension.Shutdown}); err != nil {
			return err
		}
		if err := client.Subscribe(s); err != nil {
			return err
		}
		_, err = client.Next()
		return err
	})
}

// handOn takes batches of telemetry.
func handOn(ctx context.Context, batches chan<- []Event) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch []Event
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBatch)).Decode(&batch)
		if err == nil {
			select {
			case batches <- batch:
			case <-ctx.Done():
				err = errors.New("the extension has ended")
			case <-r.Context().Done():
				err = r.Context().Err()
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// maxBatch is more than a batch can have: twice the most bytes that can be
// asked for, and what is around the events.
const maxBatch = 4 << 20
