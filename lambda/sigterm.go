package lambda

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/lambhq/lamb/extension"
)

// awaitSIGTERM has Lambda send SIGTERM and stops the runtime when it comes,
// after the callbacks. The returned function gives up.
func (r *runner) awaitSIGTERM(cancel context.CancelCauseFunc) (end func()) {
	signaled := make(chan os.Signal, 1)
	signal.Notify(signaled, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		select {
		case <-over:
		case <-signaled:
			for _, callback := range r.handler.onSIGTERM {
				callback()
			}
			cancel(nil)
		}
	}()
	unregister := r.registerForSIGTERM()
	return func() {
		signal.Stop(signaled)
		close(over)
		unregister()
	}
}

// registerForSIGTERM registers an internal extension: as soon as an environment
// has any extension, its runtime is sent SIGTERM before SIGKILL. It asks for no
// events, so its one call of event/next waits until the end. Where there are
// no extensions, the function runs without the signal.
func (r *runner) registerForSIGTERM() (unregister func()) {
	client := &extension.Client{Endpoint: r.endpoint, Dial: r.dial}
	if _, err := client.Register("GoLangEnableSIGTERM", nil); err != nil {
		log.Printf("no SIGTERM will come: %v", err)
		return func() {}
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer client.Close()
		if _, err := client.Next(); !errors.Is(err, extension.ErrStopped) {
			log.Printf("the extension for SIGTERM has ended: %v", err)
		}
	}()
	return func() {
		client.Stop()
		<-over
	}
}
