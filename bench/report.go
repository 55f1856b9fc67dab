package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
)

var (
	initDuration = regexp.MustCompile(`\tInit Duration: ([\d.]+) ms`)
	duration     = regexp.MustCompile(`\tDuration: ([\d.]+) ms`)
)

// durations are the Duration and the Init Duration of a REPORT line, in
// milliseconds; zero where there is none.
func durations(log string) (invoke, init float64) {
	read := func(re *regexp.Regexp) float64 {
		if m := re.FindStringSubmatch(log); m != nil {
			v, _ := strconv.ParseFloat(m[1], 64) // digits and dots: zero is no duration
			return v
		}
		return 0
	}
	return read(duration), read(initDuration)
}

// logTail invokes a function and returns the end of its log.
func (l *lamb) logTail(ctx context.Context, name string) (string, error) {
	invocation := l.invocation(local, name, event, nil)
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(invocation.Bytes)))
	if err != nil {
		return "", err
	}
	req = req.WithContext(ctx)
	req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", l.address
	req.Header.Set("X-Amz-Log-Type", "Tail")
	resp, err := l.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Amz-Function-Error") != "" {
		return "", fmt.Errorf("%s answers %s: %s", name, resp.Status, answer)
	}
	log, err := base64.StdEncoding.DecodeString(resp.Header.Get("X-Amz-Log-Result"))
	return string(log), err
}
