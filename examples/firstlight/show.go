package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	region = "us-east-1"
	// role is stored and given back; nobody is asked whether it exists.
	role = "arn:aws:iam::000000000000:role/any"
	// activeLimit bounds how long a new function may take to become active.
	activeLimit = 30 * time.Second
	// warmCalls are made after the first one; the table has their median.
	warmCalls = 5
)

// newClient makes a client for AWS Lambda that calls lamb: the endpoint is the
// whole difference. The keys can be any, they only have to be there.
func newClient(endpoint string) *lambda.Client {
	return lambda.New(lambda.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// shown is a function that was deployed and called.
type shown struct {
	function *function
	cold     *answer // of the first call
	warm     *answer // of those after it, the one with the median time
}

// show deploys and calls every example and prints what happens. It returns
// those that gave a result, and an error if one that could have did not.
func show(ctx context.Context, w io.Writer, folder, endpoint string) ([]shown, error) {
	client := newClient(endpoint)
	var all []shown
	var failed []string
	for _, e := range examples {
		fmt.Fprintf(w, "\n%s\n", e.name)
		s, err := showOne(ctx, w, client, e, folder)
		var missing missingError
		var failure functionError
		switch {
		case errors.As(err, &missing):
			fmt.Fprintf(w, "  left out because %s\n", missing)
		case errors.As(err, &failure):
			fmt.Fprintf(w, "  failed   %s\n", indent(failure.Error()))
			failed = append(failed, e.name)
		case err != nil:
			return all, fmt.Errorf("%s: %w", e.name, err)
		default:
			all = append(all, s)
		}
	}
	printTimings(w, all)
	if failed != nil {
		return all, fmt.Errorf("no result from %s", strings.Join(failed, ", "))
	}
	return all, nil
}

// showOne packs, creates and calls one example: once cold, then warm.
func showOne(ctx context.Context, w io.Writer, client *lambda.Client, e example, folder string) (shown, error) {
	f, err := e.load(ctx, filepath.Join(folder, e.name))
	if err != nil {
		return shown{}, err
	}
	fmt.Fprintf(w, "  code     %s on %s, a zip of %s\n", f.handler, f.runtime, bytesText(len(f.code)))
	if err := create(ctx, client, f); err != nil {
		return shown{}, err
	}
	fmt.Fprintf(w, "  event    %s\n", f.event)
	s := shown{function: f}
	if s.cold, err = call(ctx, client, f); err != nil {
		return shown{}, err
	}
	fmt.Fprintf(w, "  result   %s\n", s.cold.payload)
	fmt.Fprintf(w, "  log      %s\n", indent(s.cold.log))

	warm := make([]*answer, warmCalls)
	for i := range warm {
		if warm[i], err = call(ctx, client, f); err != nil {
			return shown{}, err
		}
	}
	slices.SortFunc(warm, func(a, b *answer) int { return cmp.Compare(a.took, b.took) })
	s.warm = warm[len(warm)/2]
	return s, nil
}

// create uploads a function and waits until it is active.
func create(ctx context.Context, client *lambda.Client, f *function) error {
	_, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName:  aws.String(f.name),
		Runtime:       f.runtime,
		Architectures: []types.Architecture{f.architecture},
		Handler:       aws.String(f.handler),
		Role:          aws.String(role),
		MemorySize:    aws.Int32(256),
		Timeout:       aws.Int32(10),
		Code:          &types.FunctionCode{ZipFile: f.code},
	})
	if err != nil {
		return err
	}
	active := lambda.NewFunctionActiveV2Waiter(client, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
	})
	return active.Wait(ctx, &lambda.GetFunctionInput{FunctionName: aws.String(f.name)}, activeLimit)
}

// answer is what one call gave.
type answer struct {
	payload []byte
	log     string            // the log tail, without the last line end
	report  map[string]string // the fields of its REPORT line
	took    time.Duration     // as the client saw it
}

// functionError is an error that the function made, not lamb.
type functionError struct {
	kind    string // Handled or Unhandled
	payload []byte
	log     string
}

func (e functionError) Error() string {
	return fmt.Sprintf("%s error: %s\n%s", e.kind, e.payload, e.log)
}

// call invokes a function with its event and asks for the end of its log.
func call(ctx context.Context, client *lambda.Client, f *function) (*answer, error) {
	begin := time.Now()
	out, err := client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(f.name),
		Payload:      f.event,
		LogType:      types.LogTypeTail,
	})
	took := time.Since(begin)
	if err != nil {
		return nil, err
	}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		return nil, fmt.Errorf("log tail: %w", err)
	}
	log = bytes.TrimRight(log, "\n")
	if out.FunctionError != nil {
		return nil, functionError{*out.FunctionError, out.Payload, string(log)}
	}
	return &answer{out.Payload, string(log), parseReport(string(log)), took}, nil
}

// parseReport reads the REPORT line of a log, in which tabs part fields such as
// "Duration: 1.25 ms". Without such a line there are no fields.
func parseReport(log string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "REPORT ") {
			continue
		}
		for field := range strings.SplitSeq(strings.TrimSpace(line), "\t") {
			if name, value, ok := strings.Cut(field, ": "); ok {
				fields[name] = value
			}
		}
	}
	return fields
}
