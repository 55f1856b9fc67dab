package server

import (
	"time"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/logs"
)

// openLogs opens what takes the functions' log lines.
func (s *Server) openLogs() error {
	s.console = newConsole(s.cfg.FunctionLogs)
	s.onClose(s.console.close)
	if s.cfg.LogRetention < 0 || s.cfg.LogBytes < 0 {
		return nil
	}
	var err error
	s.logs, err = logs.Open(logs.Options{
		Dir: s.dir.Logs(), MaxAge: s.cfg.LogRetention, MaxBytes: s.cfg.LogBytes, Log: s.cfg.Log,
	})
	if err != nil {
		return err
	}
	s.onClose(s.logs.Close)
	return nil
}

// functionLogs is the destination of one environment's log: the console, and
// the stream of that name in the group of the version.
func (s *Server) functionLogs(v *function.Version, stream string) execenv.Logs {
	logging := v.Runs().Config.Logging
	to := logLines{console: s.console.logs(v, stream), least: logs.ParseLevel(logging.ApplicationLevel)}
	if s.logs == nil {
		return to
	}
	kept, err := s.logs.Stream(logs.Group{
		Partition: v.Key.Partition, Account: v.Key.Account, Region: v.Key.Region, Name: logging.Group,
	}, stream)
	if err != nil { // the names were checked when the function was created
		s.cfg.Log.Error("a function's log lines are not kept", "function", v.Key.Name, "err", err)
		return to
	}
	to.kept = kept
	return to
}

// logLines takes one environment's log.
type logLines struct {
	console execenv.Logs
	kept    *logs.Stream // nil: lines are not kept
	// least is the level under which a function's own lines are left out; with
	// the text format there is none. It is applied here because subscribers
	// of the Telemetry API get all lines. The platform's lines have no level.
	least logs.Level
}

// Line implements execenv.Logs.
func (l logLines) Line(at time.Time, line []byte) {
	if logs.Below(line, l.least) {
		return
	}
	l.console.Line(at, line)
	if l.kept != nil {
		l.kept.Append(at, line)
	}
}
