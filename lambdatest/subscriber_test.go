package lambdatest_test

import (
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambdatest"
)

// TestBuffering: a batch is sent when its time has come, by the clock.
func TestBuffering(t *testing.T) {
	t.Parallel()
	clock := lambdatest.NewClock(time.Time{})
	batches := make(chan []lambdatest.Event)
	env := lambdatest.New(t, lambdatest.Config{
		Clock: clock, Runtime: lambdatest.Handler(greet),
		Registration: map[string]string{"logGroupName": "here"},
		Extensions: []lambdatest.Extension{{Name: "sink", Program: lambdatest.Subscriber(
			extension.Subscription{Streams: []extension.Stream{extension.Platform}, Timeout: 5 * time.Second}, batches)}},
	})
	env.Init()
	env.Call(request{"x"})
	clock.Advance(4 * time.Second)
	select {
	case batch := <-batches:
		t.Fatalf("a batch came early: %v", batch)
	default:
	}
	clock.Advance(2 * time.Second)
	batch := <-batches
	if last := batch[len(batch)-1]; batch[0].Type != "platform.initStart" || last.Type != "platform.report" {
		t.Errorf("the batch goes from %s to %s", batch[0].Type, last.Type)
	}
	if n := len(env.Events("platform.telemetrySubscription")); n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	env.Call(request{"y"})
	// The rest is flushed before the end, while the subscriber takes its time.
	done := make(chan lambdatest.ShutdownResult, 1)
	go func() { done <- env.Shutdown() }()
	if batch := <-batches; batch[0].Type != "platform.start" {
		t.Errorf("the last batch begins with %s", batch[0].Type)
	}
	<-done
	if stats := env.Telemetry(); stats.Dropped != 0 || stats.Delivered == 0 {
		t.Errorf("%+v", stats)
	}
}
