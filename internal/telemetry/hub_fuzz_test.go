package telemetry

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// FuzzSubscribe: whatever requests come, one line each, the subscriptions stay
// within their number, and events reach the hub unharmed.
func FuzzSubscribe(f *testing.F) {
	http := func(port string) string {
		return `{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:` + port + `"}}`
	}
	const tcp = `{"schemaVersion":"2025-01-29","types":["function","extension"],"destination":{"protocol":"TCP","port":4243}}`
	f.Add([]byte(http("1")+"\n"+http("1")+"\n"+http("2")+"\n"+tcp), uint8(0))
	f.Add([]byte(http("1")+"\n"+http("2")+"\n"+http("3")+"\n"+http("4")+"\n"+http("5")+"\n"+http("6")), uint8(0))
	f.Add([]byte(`{"types":["platform"],"destination":{"protocol":"TCP","port":1}}`+"\n"+tcp), uint8(2))
	f.Add([]byte("\n\x00\n{}\n[]"), uint8(255))
	f.Fuzz(func(t *testing.T, requests []byte, logs uint8) {
		h := New(Config{
			Attempts: 1, FirstBackoff: time.Millisecond,
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody is there") },
		})
		defer h.Close()
		at := time.Unix(0, 0)
		h.InitStart(at, InitStart{FunctionName: "f"})
		for i, body := range bytes.Split(requests, []byte("\n")) {
			api := TelemetryAPI
			if logs>>(i%8)&1 != 0 {
				api = LogsAPI
			}
			before := h.Stats().Subscriptions
			s, changed, err := h.Subscribe(api, "x", body)
			after := h.Stats().Subscriptions
			var refused *Error
			switch {
			case err != nil && (!errors.As(err, &refused) || refused.Status != 400 || after != before || changed):
				t.Fatalf("%q: %v, %d subscriptions after %d", body, err, after, before)
			case err == nil && (after > MaxSubscriptions || after > before+1 || after > before && !changed || s.API != api):
				t.Fatalf("%q: %+v, changed %v, %d subscriptions after %d", body, s, changed, after, before)
			}
		}
		h.Line(at, Line{Source: Function, Text: requests})
		h.CloseSubscriptions()
		if _, _, err := h.Subscribe(TelemetryAPI, "x", requests); err == nil {
			t.Fatal("subscribed after the end")
		}
		h.Report(at, Report{RequestID: "id"})
	})
}
