package extension_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lambhq/lamb/extension"
)

// An extension that cannot start says so, and exits.
func ExampleClient_InitError() {
	a := newAPI(&testing.T{})
	defer a.Close()

	client := &extension.Client{Endpoint: a.address()}
	defer client.Close()
	r, err := client.Register("example", nil, extension.AccountID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("account", r.AccountID)
	if err := client.InitError("Extension.NoKey", errors.New("no API key")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(a.asked[len(a.asked)-1])
	// Output:
	// account 1
	// POST /2020-01-01/extension/init/error {"errorMessage":"no API key","errorType":"Extension.NoKey","stackTrace":[]} Lambda-Extension-Function-Error-Type: Extension.NoKey
}

// One that cannot go on has the environment reset.
func ExampleClient_ExitError() {
	a := newAPI(&testing.T{}, invoke)
	defer a.Close()

	client := &extension.Client{Endpoint: a.address()}
	defer client.Close()
	if _, err := client.Register("example", []extension.EventType{extension.Invoke}); err != nil {
		fmt.Println(err)
		return
	}
	event, err := client.Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.ExitError("Extension.Full", fmt.Errorf("no room for %s", event.Invoke.RequestID)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(a.asked[len(a.asked)-1])
	// Output: POST /2020-01-01/extension/exit/error {"errorMessage":"no room for id","errorType":"Extension.Full","stackTrace":[]} Lambda-Extension-Function-Error-Type: Extension.Full
}

// Stop ends a Next that waits, from another goroutine.
func ExampleClient_Stop() {
	a := newAPI(&testing.T{})
	defer a.Close()

	client := &extension.Client{Endpoint: a.address()}
	defer client.Close()
	if _, err := client.Register("example", nil); err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		<-a.idle // it waits
		client.Stop()
	}()
	_, err := client.Next()
	fmt.Println(errors.Is(err, extension.ErrStopped))
	// Output: true
}

// An Error has what the service answered, or why it could not be asked.
func ExampleError() {
	a := newAPI(&testing.T{})
	defer a.Close()
	a.refuse = "/register"

	client := &extension.Client{Endpoint: a.address()}
	defer client.Close()
	_, err := client.Register("example", nil)
	if refused, ok := errors.AsType[*extension.Error](err); ok {
		fmt.Println(refused.Operation, refused.Status, refused.Type)
	}
	lost := &extension.Error{Operation: "event/next", Err: context.Canceled}
	fmt.Println(errors.Is(lost, context.Canceled), lost.Error())
	// Output:
	// register 403 Extension.Refused
	// true Extensions API, event/next: context canceled
}

// The reason of a Fault can be asked for.
func ExampleFault_unwrap() {
	err := error(&extension.Fault{Type: "Extension.Timeout", Err: context.DeadlineExceeded})
	fmt.Println(errors.Is(err, context.DeadlineExceeded), err.Error())
	// Output: true Extension.Timeout: context deadline exceeded
}
