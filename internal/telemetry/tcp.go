package telemetry

import (
	"bytes"
	"context"
	"net"
)

// tcpSink writes lines to one connection, and connects again when that breaks.
type tcpSink struct {
	connector

	ended chan struct{} // closed when the other side has closed conn
	gone  chan struct{} // closed when conn's watcher has ended
}

// maxChatter is how much of what a subscriber says, which means nothing, is
// read to see whether it ends the connection.
const maxChatter = 4 << 10

// send implements sink. Written is delivered: there are no acknowledgements.
// Of a line that was cut off, the whole is sent again.
func (k *tcpSink) send(ctx context.Context, body []byte) (int, error) {
	if k.conn != nil && isClosed(k.ended) {
		k.close() // what is written now would be lost without an error
	}
	if k.conn == nil {
		if err := k.connect(ctx); err != nil {
			return 0, err
		}
		k.watch()
	}
	defer k.abortOn(ctx)()
	n, err := k.conn.Write(body)
	if err != nil {
		k.close()
		return bytes.LastIndexByte(body[:n], '\n') + 1, err
	}
	return n, nil
}

// watch starts the goroutine that notices the end of the connection.
func (k *tcpSink) watch() {
	k.ended, k.gone = make(chan struct{}), make(chan struct{})
	go func(conn net.Conn, ended, gone chan struct{}) {
		defer close(gone)
		var buf [512]byte
		for total := 0; total < maxChatter; {
			n, err := conn.Read(buf[:])
			if err != nil {
				close(ended)
				return
			}
			total += n
		}
	}(k.conn, k.ended, k.gone)
}

// close drops the connection and waits for its watcher.
func (k *tcpSink) close() {
	if k.conn != nil {
		k.connector.close()
		<-k.gone
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lines counts the events in a TCP batch.
func lines(body []byte) int64 { return int64(bytes.Count(body, []byte("\n"))) }
