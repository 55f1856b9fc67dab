package server

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/datadir"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/metrics"
)

// logging is a server with nothing but what takes log lines.
func logging(t *testing.T, cfg Config, out io.Writer) *Server {
	t.Helper()
	cfg.FunctionLogs = out
	cfg.setDefaults()
	dir, err := datadir.Temporary(datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{cfg: cfg, dir: dir, registry: metrics.NewRegistry()}
	s.onClose(dir.Close)
	if err := s.openLogs(); err != nil {
		t.Fatal(err)
	}
	return s
}

// version is one that logs as JSON from a level on.
func version(name, level string) *function.Version {
	v := &function.Version{Key: function.Key{Partition: "aws", Account: "1", Region: "r", Name: name}, Version: function.Latest}
	v.Config.Logging = function.Logging{Format: "JSON", ApplicationLevel: level, Group: "/aws/lambda/" + name}
	return v
}

func TestFunctionLogs(t *testing.T) {
	const at = `,"timestamp":"2026-11-22T10:00:00Z"}` + "\n"
	for _, tt := range []struct {
		level string
		want  string
	}{
		{"DEBUG", "DEBUG INFO ERROR plain"},
		{"INFO", "INFO ERROR plain"},
		{"ERROR", "ERROR plain"},
		{"", "TRACE DEBUG INFO ERROR plain"}, // format Text
	} {
		var out bytes.Buffer
		s := logging(t, Config{}, &out)
		to := s.functionLogs(version("f", tt.level), "stream")
		for _, level := range []string{"TRACE", "DEBUG", "INFO", "ERROR"} {
			to.Line(time.Now(), []byte(`{"level":"`+level+`"`+at))
		}
		to.Line(time.Now(), []byte("plain\n"))
		page, err := s.logs.Read(context.Background(), logs.Query{
			Group:   logs.Group{Partition: "aws", Account: "1", Region: "r", Name: "/aws/lambda/f"},
			Streams: []string{"stream"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		var kept, shown strings.Builder
		for _, word := range strings.Fields(tt.want) {
			line := word + "\n"
			if word != "plain" {
				line = `{"level":"` + word + `"` + at
			}
			kept.WriteString(line)
			shown.WriteString("[f] " + line)
		}
		got := ""
		for _, e := range page.Events {
			got += e.Message
		}
		if got != kept.String() || out.String() != shown.String() {
			t.Errorf("level %q: kept %q, shown %q", tt.level, got, out.String())
		}
	}
}

// TestLogsOff: lines go to the console alone.
func TestLogsOff(t *testing.T) {
	for _, cfg := range []Config{{LogRetention: -1}, {LogBytes: -1}} {
		var out bytes.Buffer
		s := logging(t, cfg, &out)
		s.functionLogs(version("f", "INFO"), "stream").Line(time.Now(), []byte("x\n"))
		if s.logs != nil {
			t.Error("there is a store")
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if out.String() != "[f] x\n" {
			t.Errorf("the console has %q", out.String())
		}
	}
}
