package envapi

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// roomySink has room for a number of bytes; the rest it takes by Write.
type roomySink struct {
	fakeSink
	room   []byte
	filled int
	rooms  chan int // bytes that were filled in, told at the end
}

func (s *roomySink) Room() []byte { return s.room[s.filled:] }

func (s *roomySink) Filled(n int) {
	s.b = append(s.b, s.room[s.filled:s.filled+n]...)
	s.filled += n
}

func (s *roomySink) Finish(t Trailer) *Error {
	s.rooms <- s.filled
	return s.fakeSink.Finish(t)
}

func (s *roomySink) Abort(cause error) {
	s.rooms <- s.filled
	s.fakeSink.Abort(cause)
}

// TestRoom: a body of known length is read into the sink's memory as far as
// that goes, arrives whole, and takes nothing of the next request.
func TestRoom(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 20<<10)
	tests := []struct {
		name, request, want string
		room                int
		filled, cut         bool
	}{
		{"all of it", "Content-Length: 327680\r\n\r\n" + long, long, len(long), true, false},
		{"more than needed", "Content-Length: 327680\r\n\r\n" + long, long, len(long) + 1000, true, false},
		{"some of it", "Content-Length: 327680\r\n\r\n" + long, long, 100_000, true, false},
		{"none", "Content-Length: 327680\r\n\r\n" + long, long, 0, false, false},
		{"short", "Content-Length: 16\r\n\r\n" + long[:16], long[:16], 1000, false, false},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n50000\r\n" + long + "\r\n0\r\n\r\n", long, len(long), false, false},
		{"cut", "Content-Length: 327681\r\n\r\n" + long, long, len(long) + 1, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, rooms := newFake(), make(chan int, 1)
			f.response = func(string, Header) (Sink, *Error) {
				return &roomySink{fakeSink: fakeSink{f: f}, room: make([]byte, tt.room), rooms: rooms}, nil
			}
			_, addr := serve(t, Config{Handler: f})
			p := dial(t, addr)
			if tt.cut {
				p.send(head("POST", responsePath) + tt.request)
				_ = p.Conn.(interface{ CloseWrite() error }).CloseWrite()
			} else {
				p.send(head("POST", responsePath) + tt.request + get("/2018-06-01/ping"))
			}
			if filled := receive(t, rooms); (filled > 0) != tt.filled {
				t.Errorf("%d bytes were put into the room, want some: %v", filled, tt.filled)
			}
			got := receive(t, f.posts)
			if got.body != tt.want || errors.Is(got.abort, io.ErrUnexpectedEOF) != tt.cut {
				t.Errorf("got %d bytes, want %d, and %v", len(got.body), len(tt.want), got.abort)
			}
			r, _ := p.answer("POST")
			if tt.cut {
				if r.StatusCode != 400 {
					t.Errorf("answer %d, want 400", r.StatusCode)
				}
				return
			}
			if _, body := p.answer("GET"); r.StatusCode != 202 || body != "pong" {
				t.Errorf("answers %d and %q", r.StatusCode, body)
			}
		})
	}
}
