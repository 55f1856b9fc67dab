package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/lambhq/lamb/bench/load"
)

// pieces is what a function streams: so many of a size in bytes, with a pause
// after each.
type pieces struct {
	n, size int
	pause   time.Duration
}

func (p pieces) event() []byte {
	return fmt.Appendf(nil, `{"pieces":%d,"size":%d,"pause":%d}`, p.n, p.size, p.pause.Milliseconds())
}

// streamPieces is the floor's function: it does what the worker's handler
// stream does.
func streamPieces(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r.Body, r.ContentLength)
	var n, size, pause int
	if err == nil {
		_, err = fmt.Sscanf(string(body), `{"pieces":%d,"size":%d,"pause":%d}`, &n, &size, &pause)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	piece := bytes.Repeat([]byte("s"), size)
	control := http.NewResponseController(w)
	for range n {
		if _, err := w.Write(piece); err != nil || control.Flush() != nil {
			return
		}
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
}

// newStreamProxy passes streams on as they come. Like the other proxy it has
// read a request's body before.
func newStreamProxy(to *url.URL) http.Handler {
	p := httputil.NewSingleHostReverseProxy(to)
	p.FlushInterval = -1
	p.Transport = &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r.Body, r.ContentLength)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.ServeHTTP(w, r)
	})
}

// streamFloor starts the two hops that streams are compared with.
func (b *bench) streamFloor(ctx context.Context) (*child, error) {
	function, err := startFloor(ctx, "stream")
	if err != nil {
		return nil, err
	}
	b.onClose(function.Close)
	proxy, err := startFloor(ctx, "stream-proxy", "http://"+function.address)
	if err == nil {
		b.onClose(proxy.Close)
	}
	return proxy, err
}

// A streamer begins one stream.
type streamer func(ctx context.Context, p pieces) (*http.Response, error)

// streamClient keeps connections, and no answer is decoded.
func (b *bench) streamClient() *http.Client {
	transport := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true}
	b.onClose(func() error { transport.CloseIdleConnections(); return nil })
	return &http.Client{Transport: transport}
}

func begin(client *http.Client, req *http.Request, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return nil, errors.Join(fmt.Errorf("%s: %.300s", resp.Status, text), resp.Body.Close())
	}
	return resp, err
}

// fromFloor streams through the proxy.
func (b *bench) fromFloor(proxy *child) streamer {
	client := b.streamClient()
	return func(ctx context.Context, p pieces) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+proxy.address+"/", bytes.NewReader(p.event()))
		return begin(client, req, err)
	}
}

// fromLamb makes a function that streams, and calls it.
func (b *bench) fromLamb(ctx context.Context, l *lamb, name string, memoryMB int) (streamer, error) {
	if err := l.create(ctx, b.rawSpec(name, "stream", memoryMB)); err != nil {
		return nil, err
	}
	client, path := b.streamClient(), "/2021-11-15/functions/"+name+"/response-streaming-invocations"
	return func(ctx context.Context, p pieces) (*http.Response, error) {
		event := p.event()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.address+path, bytes.NewReader(event))
		if err == nil {
			for name, value := range local.headers(http.MethodPost, l.address, path, event) {
				req.Header.Set(name, value)
			}
		}
		return begin(client, req, err)
	}, nil
}

// readStream reads a stream to its end and checks that it had its bytes. It
// returns when the first and the last came.
func readStream(resp *http.Response, p pieces) (first, last time.Time, err error) {
	defer resp.Body.Close()
	buf := make([]byte, 256<<10)
	total := 0
	for {
		n, err := resp.Body.Read(buf)
		if total == 0 && n > 0 {
			first = time.Now()
		}
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			return first, last, err
		}
	}
	if total < p.n*p.size {
		return first, last, fmt.Errorf("%d bytes of a stream of %d", total, p.n*p.size)
	}
	return first, time.Now(), nil
}

// streamFirstByte is the time to a stream's first byte.
func (b *bench) streamFirstByte(ctx context.Context) (contest, error) {
	proxy, err := b.streamFloor(ctx)
	if err != nil {
		return contest{}, err
	}
	lamb, err := b.fromLamb(ctx, b.lamb, "stream-first", fullMB)
	if err != nil {
		return contest{}, err
	}
	run := func(s streamer) contender {
		p := pieces{n: 2, size: 100, pause: time.Millisecond}
		return func(ctx context.Context) ([]float64, error) {
			took := make([]time.Duration, max(10, b.sizes.warm/5))
			for i := range took {
				began := time.Now()
				resp, err := s(ctx, p)
				if err != nil {
					return nil, err
				}
				first, _, err := readStream(resp, p)
				if err != nil {
					return nil, err
				}
				took[i] = first.Sub(began)
			}
			slices.Sort(took)
			return []float64{micros(took[len(took)/2])}, nil
		}
	}
	return contest{floor: run(b.fromFloor(proxy)), lamb: run(lamb), rows: []row{
		{what: "stream, time to the first byte, p50", floor: "flushing proxy", unit: "µs", target: target{kind: ratioMax, limit: 1.5}},
	}}, nil
}

// streamThroughput is a stream of 100 MB that nothing shapes.
func (b *bench) streamThroughput(ctx context.Context) (contest, error) {
	proxy, err := b.streamFloor(ctx)
	if err != nil {
		return contest{}, err
	}
	l, err := b.start(ctx, 0, "--stream-rate", "0")
	if err != nil {
		return contest{}, err
	}
	lamb, err := b.fromLamb(ctx, l, "stream-100MB", fullMB)
	if err != nil {
		return contest{}, err
	}
	run := func(s streamer) contender {
		p := pieces{n: b.sizes.loaded / 4, size: 64 << 10}
		return func(ctx context.Context) ([]float64, error) {
			began := time.Now()
			resp, err := s(ctx, p)
			if err != nil {
				return nil, err
			}
			_, last, err := readStream(resp, p)
			return []float64{float64(p.n*p.size) / (1 << 20) / last.Sub(began).Seconds()}, err
		}
	}
	return contest{floor: run(b.fromFloor(proxy)), lamb: run(lamb), rows: []row{
		{what: "stream of 100 MB, unshaped", floor: "flushing proxy", unit: "MB/s", target: target{kind: ratioMin, limit: 0.7}},
	}}, nil
}

// streamPace is by how much a shaped stream misses its rate, in percent.
func (b *bench) streamPace(ctx context.Context) (contest, error) {
	lamb, err := b.fromLamb(ctx, b.lamb, "stream-pace", fullMB)
	if err != nil {
		return contest{}, err
	}
	const rate, burst = 2 << 20, 6 << 20 // lamb's defaults
	p := pieces{n: 160, size: 64 << 10}
	return contest{most: 3, lamb: func(ctx context.Context) ([]float64, error) {
		resp, err := lamb(ctx, p)
		if err != nil {
			return nil, err
		}
		first, last, err := readStream(resp, p)
		got := float64(p.n*p.size-burst) / last.Sub(first).Seconds()
		return []float64{100 * math.Abs(got/rate-1)}, err
	}, rows: []row{
		{what: "shaped stream of 10 MB, off its rate by", unit: "%", target: target{kind: figureMax, limit: 2}},
	}}, nil
}

// slowStreams holds many streams open whose callers read slowly while their
// functions write as much as they can, and measures what that costs lamb's
// memory and the callers of another function.
func (b *bench) slowStreams(ctx context.Context) (contest, error) {
	n := max(4, b.sizes.idle/5)
	l, err := b.start(ctx, readyShells, "--stream-rate", "0")
	if err != nil {
		return contest{}, err
	}
	slow, err := b.fromLamb(ctx, l, "slow-streams", smallMB)
	if err == nil {
		err = b.rawFunction(ctx, l, "beside", fullMB)
	}
	if err != nil {
		return contest{}, err
	}
	beside := latency(l.address, b.sizes.warm, func() load.Request { return l.invocation(local, "beside", event, event) })
	measure := func(p pieces, pause time.Duration) contender {
		return func(ctx context.Context) ([]float64, error) { return slowly(ctx, l, slow, n, p, pause, beside) }
	}
	// The floor's streams write one byte and rest: all environments and
	// connections are there, and nothing flows.
	return contest{most: 3,
		floor: measure(pieces{n: 2, size: 1, pause: 4 * time.Second}, time.Hour),
		lamb:  measure(pieces{n: 256, size: 64 << 10}, 500*time.Millisecond),
		rows: []row{
			{what: fmt.Sprintf("p50 of another function, beside %d slow streams", n), floor: "beside streams that rest", unit: "µs", target: target{kind: ratioMax, limit: 1.2}},
			{what: "… memory of lamb for each of them", floor: "for one that rests", unit: "MB", target: target{kind: extraMax, limit: 0.25}},
		}}, nil
}

// slowly opens n streams, reads a little of each now and then, and meanwhile
// measures another function's latency and lamb's memory.
func slowly(ctx context.Context, l *lamb, s streamer, n int, p pieces, pause time.Duration, beside contender) ([]float64, error) {
	ctx, leave := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer leave()
	opened := make(chan error, n)
	for range n {
		readers.Go(func() {
			resp, err := s(ctx, p)
			opened <- err
			if err != nil {
				return
			}
			defer resp.Body.Close()
			buf := make([]byte, 64<<10)
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				if _, err := resp.Body.Read(buf); err != nil {
					return
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	var errs []error
	for range n {
		errs = append(errs, <-opened)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	values, err := beside(ctx)
	if err != nil {
		return nil, err
	}
	resident, err := residentMB(l.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	leave()
	readers.Wait()
	// The functions go on to their ends without callers.
	return []float64{values[0], resident / float64(n)}, l.awaitMetric(context.WithoutCancel(ctx), "lamb_environments_busy", 0)
}
