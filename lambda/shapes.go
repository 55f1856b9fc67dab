package lambda

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	streamType  = reflect.TypeFor[*ResponseStream]()
)

// resolve makes a function of any handler that Start takes.
func resolve(handler any, c *codec) (function, error) {
	switch h := handler.(type) {
	case nil:
		return nil, errors.New("handler is nil")
	case function: // of StartTyped
		return h, nil
	case Handler:
		return func(ctx context.Context, payload []byte, r *result) (err error) {
			r.contentType = contentTypeBytes
			r.body, err = h.Invoke(ctx, payload)
			return err
		}, nil
	}
	if t := reflect.TypeOf(handler); t.Kind() != reflect.Func {
		return nil, fmt.Errorf("handler kind %s is not %s", t.Kind(), reflect.Func)
	}
	s := shape{codec: c, f: reflect.ValueOf(handler)}
	if err := s.takes(); err != nil {
		return nil, err
	}
	if err := s.returns(); err != nil {
		return nil, err
	}
	return s.call, nil
}

// shape is what a function takes and returns, found out once.
type shape struct {
	*codec
	f       reflect.Value
	context bool         // the first argument is the context
	event   reflect.Type // of the argument that is the event, or nil
	stream  bool         // the last argument is the stream
	value   bool         // the first result is the answer
	err     bool         // the last result is the error
}

// takes reads the arguments: an optional context, event and stream, in this
// order.
func (s *shape) takes() error {
	t := s.f.Type()
	n := t.NumIn()
	if n > 0 && t.In(n-1) == streamType {
		s.stream = true
		n--
	}
	if n > 2 {
		return fmt.Errorf("handlers may not take more than two arguments, but handler takes %d", t.NumIn())
	}
	if n == 0 {
		return nil
	}
	first := t.In(0)
	s.context = first.Kind() == reflect.Interface && contextType.Implements(first) && first.Implements(contextType)
	switch {
	case n == 2 && !s.context:
		return fmt.Errorf("handler takes two arguments, but the first is not Context. got %s", first.Kind())
	case n == 2:
		s.event = t.In(1)
	case !s.context && first.Kind() == reflect.Interface && first.NumMethod() > 0:
		return fmt.Errorf("handler takes an interface, but it is not context.Context: %q", first.Name())
	case !s.context:
		s.event = first
	}
	return nil
}

// returns reads the results: an optional answer, and an optional error.
func (s *shape) returns() error {
	t := s.f.Type()
	n := t.NumOut()
	s.value, s.err = n == 2, n > 0
	switch {
	case n > 2:
		return errors.New("handler may not return more than two values")
	case n == 2 && !t.Out(1).Implements(errorType):
		return errors.New("handler returns two values, but the second does not implement error")
	case n == 1 && !t.Out(0).Implements(errorType):
		return errors.New("handler returns a single value, but it does not implement error")
	case n == 2 && s.stream:
		return errors.New("handler writes to a ResponseStream and returns a value besides")
	}
	return nil
}

// call calls the handler with an event.
func (s *shape) call(ctx context.Context, payload []byte, r *result) error {
	var in [3]reflect.Value
	args := in[:0]
	if s.context {
		args = append(args, reflect.ValueOf(&ctx).Elem())
	}
	if s.event != nil {
		event := reflect.New(s.event)
		if err := s.decode(payload, event.Interface()); err != nil {
			return err
		}
		args = append(args, event.Elem())
	}
	if s.stream {
		r.streamed = true
		args = append(args, reflect.ValueOf(&r.stream))
	}
	out := s.f.Call(args)
	if s.err {
		if err := asError(out[len(out)-1]); err != nil {
			return err
		}
	}
	switch {
	case s.stream:
		return nil
	case s.value:
		return s.encode(out[0].Interface(), r)
	}
	return s.encode(nil, r)
}

// asError is a result as an error. A nil pointer of a type of its own is none,
// though it would not equal nil as an error.
func asError(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		if v.IsNil() {
			return nil
		}
	}
	err, _ := v.Interface().(error)
	return err
}

// typed makes a function of a handler whose types are known when it is
// compiled.
func typed[In, Out any](handler func(context.Context, In) (Out, error), c *codec) function {
	return func(ctx context.Context, payload []byte, r *result) error {
		var in In
		if err := c.decode(payload, &in); err != nil {
			return err
		}
		out, err := handler(ctx, in)
		if err != nil {
			return err
		}
		return c.encode(out, r)
	}
}
