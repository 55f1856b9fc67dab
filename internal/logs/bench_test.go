package logs

import (
	"testing"
	"time"
)

// BenchmarkAppend is what a line costs who writes it, at the pace of the
// owner, who writes to a disk: ns/written is what both cost together.
func BenchmarkAppend(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir() + "/logs", MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	st, err := s.Stream(named("/aws/lambda/f"), "2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef")
	if err != nil {
		b.Fatal(err)
	}
	line := []byte("START RequestId: 01234567-0123-0123-0123-0123456789ab Version: $LATEST\n")
	at, appending := time.Now(), time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		for range 1000 {
			st.Append(at, line)
		}
		appending += time.Since(began)
		if err := s.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if n := s.Stats().Dropped; n > 0 {
		b.Errorf("%d lines were dropped", n)
	}
	b.ReportMetric(float64(appending.Nanoseconds())/float64(b.N)/1000, "ns/append")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/written")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBelow is what the level filter costs a line that passes.
func BenchmarkBelow(b *testing.B) {
	line := []byte(`{"timestamp":"2026-11-22T10:00:00.123Z","level":"INFO","requestId":"01234567-0123-0123-0123-0123456789ab","message":"a line of the usual length, neither short nor long","logger":"root"}` + "\n")
	b.ReportAllocs()
	for b.Loop() {
		if Below(line, Info) {
			b.Fatal("left out")
		}
	}
}
