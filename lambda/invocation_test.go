package lambda

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lambhq/lamb/lambda/lambdacontext"
	"github.com/lambhq/lamb/lambda/runtimeapi"
)

func newTestInvocation(t *testing.T, base context.Context, in time.Duration) *invocation {
	t.Helper()
	c, err := newInvocation(base, &runtimeapi.Invocation{
		RequestID: []byte("id"), InvokedFunctionARN: []byte("arn"), TraceID: []byte("trace"), TenantID: []byte("blue"),
		DeadlineMs: fmt.Append(nil, time.Now().Add(in).UnixMilli()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type key struct{}

func TestInvocationValues(t *testing.T) {
	base := context.WithValue(context.Background(), key{}, "value")
	c := newTestInvocation(t, base, time.Minute)
	check := func(ctx context.Context) {
		t.Helper()
		lc, ok := lambdacontext.FromContext(ctx)
		if !ok || lc.AwsRequestID != "id" || lc.InvokedFunctionArn != "arn" || lc.TenantID != "blue" || lambdacontext.TraceID(ctx) != "trace" || ctx.Value(key{}) != "value" || ctx.Value("other") != nil {
			t.Errorf("%+v, trace %q, value %v", lc, lambdacontext.TraceID(ctx), ctx.Value(key{}))
		}
	}
	check(c)
	c.Done() // from here on, it looks elsewhere
	check(c)
	derived, cancel := context.WithCancel(c)
	defer cancel()
	check(derived)
}

// TestInvocationEnds takes each way in which a context can end, asked for in
// each order.
func TestInvocationEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(c *invocation, cancelBase context.CancelFunc)
		want error
	}{
		"finish":      {func(c *invocation, _ context.CancelFunc) { c.finish() }, context.Canceled},
		"deadline":    {func(*invocation, context.CancelFunc) { time.Sleep(2 * time.Minute) }, context.DeadlineExceeded},
		"both":        {func(c *invocation, _ context.CancelFunc) { time.Sleep(2 * time.Minute); c.finish() }, context.DeadlineExceeded},
		"base is off": {func(_ *invocation, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		for _, asked := range []bool{false, true} {
			t.Run(fmt.Sprint(name, asked), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base, cancel := context.WithCancel(context.Background())
					defer cancel()
					i := newTestInvocation(t, base, time.Minute)
					defer i.finish()
					if i.Err() != nil {
						t.Fatalf("over before it begins: %v", i.Err())
					}
					var derived context.Context
					if asked {
						var stop context.CancelFunc
						derived, stop = context.WithCancel(i)
						defer stop()
					}
					c.end(i, cancel)
					synctest.Wait()
					if name != "both" || asked { // finish decides what nobody had asked about
						if err := i.Err(); !errors.Is(err, c.want) {
							t.Errorf("error %v, want %v", err, c.want)
						}
					}
					first := i.Err()
					select {
					case <-i.Done():
					default:
						t.Error("Done is open")
					}
					i.finish()
					if i.Err() != first {
						t.Errorf("first %v, then %v", first, i.Err())
					}
					if asked && derived.Err() == nil {
						t.Error("a context made from it goes on")
					}
				})
			})
		}
	}
}

func TestInvocationDeadline(t *testing.T) {
	soon := time.Now().Add(time.Second)
	base, cancel := context.WithDeadline(context.Background(), soon)
	defer cancel()
	if d, ok := newTestInvocation(t, base, time.Hour).Deadline(); !ok || !d.Equal(soon) {
		t.Errorf("deadline %v, want the base's %v", d, soon)
	}
}

// TestInvocationAllocations counts what a handler's context costs.
func TestInvocationAllocations(t *testing.T) {
	inv := &runtimeapi.Invocation{
		RequestID: []byte("8476a536-e9f4-11e8-9739-2dfe598c3fcd"), DeadlineMs: []byte("1542409706888"),
		InvokedFunctionARN: []byte("arn:aws:lambda:us-east-1:123456789012:function:f"), TraceID: []byte("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"),
	}
	allocs := testing.AllocsPerRun(100, func() {
		c, err := newInvocation(context.Background(), inv)
		if err != nil {
			t.Error(err)
			return
		}
		c.finish()
	})
	if allocs > 3 { // the context, its strings, and its LambdaContext's link
		t.Errorf("%v allocations", allocs)
	}
}
