package front

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// source is what a connection reads from. A deadline is set when a read needs
// it: what has been read already, as most requests' bodies, costs no timer.
type source struct {
	nc   net.Conn
	want time.Time // the next read's deadline, zero for none
	set  time.Time // the connection's
}

// expect bounds the wait for the next request. A deadline that is set and
// nearly as far away does as well.
func (s *source) expect(wait time.Duration) {
	now := time.Now()
	s.want = now.Add(wait)
	if left := s.set.Sub(now); left <= wait && left >= wait-wait/8 {
		s.want = s.set
	}
}

// giveUp leaves the connection without a deadline.
func (s *source) giveUp() {
	s.want, s.set = time.Time{}, time.Time{}
	_ = s.nc.SetReadDeadline(time.Time{}) // fails as the next read will
}

func (s *source) Read(p []byte) (int, error) {
	if s.want != s.set {
		s.set = s.want
		if err := s.nc.SetReadDeadline(s.set); err != nil {
			return 0, err
		}
	}
	return s.nc.Read(p)
}

// date is the header Date, made once a second.
type date struct{ now atomic.Pointer[dateAt] }

type dateAt struct {
	second int64
	values []string
}

func (d *date) header() []string {
	now := time.Now()
	at := d.now.Load()
	if at == nil || at.second != now.Unix() {
		at = &dateAt{now.Unix(), []string{now.UTC().Format(http.TimeFormat)}}
		d.now.Store(at)
	}
	return at.values
}
