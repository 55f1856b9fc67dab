package cwlogs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/store"
)

var startTime = time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)

const arnBase = "arn:aws:logs:us-east-1:000000000000:log-group:"

// bench is a Service on real stores.
type bench struct {
	t     *testing.T
	clock *clocktest.Fake
	logs  *logs.Store
	db    *store.DB
	*Service
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, clock: clocktest.New(startTime)}
	var err error
	if b.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "state.db")}); err != nil {
		t.Fatal(err)
	}
	b.logs, err = logs.Open(logs.Options{Dir: filepath.Join(t.TempDir(), "logs"), Clock: b.clock, MaxAge: 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.logs.Close(), b.db.Close()); err != nil {
			t.Error(err)
		}
	})
	if b.Service, err = New(t.Context(), Config{Records: b.db, Logs: b.logs, Clock: b.clock}); err != nil {
		t.Fatal(err)
	}
	return b
}

// write logs messages, a second after each other from a time on.
func (b *bench) write(group, stream string, at time.Time, messages ...string) {
	b.t.Helper()
	s, err := b.logs.Stream(logs.Group{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: group}, stream)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, m := range messages {
		s.Append(at.Add(time.Duration(i)*time.Second), []byte(m))
	}
}

// call sends a request and returns the status and the answer.
func (b *bench) call(operation, body string) (int, map[string]any) {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("X-Amz-Target", TargetPrefix+operation)
	r = r.WithContext(api.WithCaller(r.Context(), api.Caller{Partition: "aws", Account: "000000000000", Region: "us-east-1"}))
	w := httptest.NewRecorder()
	b.Serve(w, r, []byte(body))
	answer := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			b.t.Fatal(err)
		}
	}
	return w.Code, answer
}

// must is call for what succeeds.
func (b *bench) must(operation, body string) map[string]any {
	b.t.Helper()
	status, answer := b.call(operation, body)
	if status != http.StatusOK {
		b.t.Fatalf("%s %s: %d %v", operation, body, status, answer)
	}
	return answer
}

func (b *bench) refused(operation, body, code, message string) {
	b.t.Helper()
	status, answer := b.call(operation, body)
	text, _ := answer["message"].(string)
	if status != http.StatusBadRequest || answer["__type"] != code || !strings.Contains(text, message) {
		b.t.Errorf("%s %s: %d %v\nwant 400 %s: %s", operation, body, status, answer, code, message)
	}
}

// messages are those of the events of an answer.
func messages(answer map[string]any) string {
	var all []string
	events, _ := answer["events"].([]any)
	for _, e := range events {
		all = append(all, fmt.Sprint(e.(map[string]any)["message"]))
	}
	return strings.Join(all, " ")
}

func (b *bench) groupNames(body string) (names []string, next string) {
	b.t.Helper()
	answer := b.must("DescribeLogGroups", body)
	for _, g := range answer["logGroups"].([]any) {
		names = append(names, g.(map[string]any)["logGroupName"].(string))
	}
	next, _ = answer["nextToken"].(string)
	return names, next
}

func TestGroups(t *testing.T) {
	b := newBench(t)
	b.write("/aws/lambda/logged", "s", startTime, "x")
	b.must("CreateLogGroup", `{"logGroupName":"/made","tags":{"a":"b"}}`)
	b.refused("CreateLogGroup", `{"logGroupName":"/made"}`, "ResourceAlreadyExistsException", "The specified log group already exists")
	b.refused("CreateLogGroup", `{"logGroupName":"/aws/lambda/logged"}`, "ResourceAlreadyExistsException", "The specified log group already exists")

	names, next := b.groupNames(`{"limit":1}`)
	more, end := b.groupNames(`{"limit":1,"nextToken":"` + next + `"}`)
	if got := append(names, more...); cmp.Diff([]string{"/aws/lambda/logged", "/made"}, got) != "" || end != "" {
		t.Errorf("groups %q, token at the end %q", got, end)
	}
	if names, _ := b.groupNames(`{"logGroupNamePrefix":"/m"}`); cmp.Diff([]string{"/made"}, names) != "" {
		t.Errorf("groups by prefix: %q", names)
	}
	if names, _ := b.groupNames(`{"logGroupNamePattern":"LOGGED"}`); cmp.Diff([]string{"/aws/lambda/logged"}, names) != "" {
		t.Errorf("groups by pattern: %q", names)
	}

	// A group that has only been written to gets its record with what is said of it.
	b.must("PutRetentionPolicy", `{"logGroupName":"/aws/lambda/logged","retentionInDays":7}`)
	shown := b.must("DescribeLogGroups", `{"logGroupNamePrefix":"/aws/lambda/logged"}`)["logGroups"].([]any)[0].(map[string]any)
	want := map[string]any{
		"logGroupName": "/aws/lambda/logged", "creationTime": float64(startTime.UnixMilli()), "retentionInDays": 7.0, "metricFilterCount": 0.0,
		"arn": arnBase + "/aws/lambda/logged:*", "logGroupArn": arnBase + "/aws/lambda/logged", "storedBytes": 4096.0, "logGroupClass": "STANDARD",
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("group (-want +got):\n%s", diff)
	}
	b.must("DeleteRetentionPolicy", `{"logGroupName":"/aws/lambda/logged"}`)
	if _, ok := b.must("DescribeLogGroups", `{"logGroupNamePrefix":"/aws"}`)["logGroups"].([]any)[0].(map[string]any)["retentionInDays"]; ok {
		t.Error("the retention is still shown")
	}

	b.must("TagResource", `{"resourceArn":"`+arnBase+`/made","tags":{"c":"d"}}`)
	b.must("UntagResource", `{"resourceArn":"`+arnBase+`/made:*","tagKeys":["a"]}`)
	for operation, body := range map[string]string{"ListTagsForResource": `{"resourceArn":"` + arnBase + `/made"}`, "ListTagsLogGroup": `{"logGroupName":"/made"}`} {
		if diff := cmp.Diff(map[string]any{"tags": map[string]any{"c": "d"}}, b.must(operation, body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", operation, diff)
		}
	}

	// The lines go with the group.
	for _, name := range []string{"/made", "/aws/lambda/logged"} {
		b.must("DeleteLogGroup", `{"logGroupName":"`+name+`"}`)
		b.refused("DeleteLogGroup", `{"logGroupName":"`+name+`"}`, "ResourceNotFoundException", "The specified log group does not exist.")
	}
	if names, _ := b.groupNames(`{}`); len(names) > 0 {
		t.Errorf("groups after deleting all: %q", names)
	}
	b.must("CreateLogGroup", `{"logGroupName":"/aws/lambda/logged"}`)
	if got := b.must("FilterLogEvents", `{"logGroupName":"/aws/lambda/logged"}`); messages(got) != "" {
		t.Errorf("events of a deleted group: %v", got)
	}
}

func TestStreams(t *testing.T) {
	b := newBench(t)
	b.write("g", "a", startTime.Add(time.Hour), "1", "2")
	b.write("g", "b", startTime, "3")
	b.write("g", "c", startTime.Add(time.Minute), "4")
	list := func(body string) (names string, next string) {
		t.Helper()
		answer := b.must("DescribeLogStreams", body)
		for _, s := range answer["logStreams"].([]any) {
			names += s.(map[string]any)["logStreamName"].(string)
		}
		next, _ = answer["nextToken"].(string)
		return names, next
	}
	for body, want := range map[string]string{
		`{"logGroupName":"g"}`: "abc", `{"logGroupName":"g","descending":true}`: "cba",
		`{"logGroupIdentifier":"` + arnBase + `g","orderBy":"LastEventTime"}`:     "bca",
		`{"logGroupName":"g","orderBy":"LastEventTime","descending":true}`:        "acb",
		`{"logGroupName":"g","logStreamNamePrefix":"b"}`:                          "b",
		`{"logGroupName":"g","logStreamNamePrefix":"x"}`:                          "",
		`{"logGroupName":"g","orderBy":"LogStreamName","logStreamNamePrefix":""}`: "abc",
	} {
		if got, _ := list(body); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	all, next := list(`{"logGroupName":"g","limit":2}`)
	rest, end := list(`{"logGroupName":"g","limit":2,"nextToken":"` + next + `"}`)
	if all+rest != "abc" || end != "" {
		t.Errorf("by pages: %s %s, %q", all, rest, end)
	}
	b.refused("DescribeLogStreams", `{"logGroupName":"nope"}`, "ResourceNotFoundException", "The specified log group does not exist.")
	b.refused("DescribeLogStreams", `{"logGroupName":"g","orderBy":"LastEventTime","logStreamNamePrefix":"a"}`, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
}

func TestGetLogEvents(t *testing.T) {
	b := newBench(t)
	b.write("g", "s", startTime, "1", "2", "3", "4", "5")
	b.write("g", "other", startTime, "x")
	get := func(more string) map[string]any {
		t.Helper()
		return b.must("GetLogEvents", `{"logGroupName":"g","logStreamName":"s"`+more+`}`)
	}
	if got := messages(get(`,"startFromHead":true`)); got != "1 2 3 4 5" {
		t.Errorf("all: %s", got)
	}
	// Without more said the newest, oldest first.
	page := get(`,"limit":2`)
	if got := messages(page); got != "4 5" {
		t.Errorf("the newest: %s", got)
	}
	page = get(`,"limit":2,"nextToken":"` + page["nextBackwardToken"].(string) + `"`)
	if got := messages(page); got != "2 3" {
		t.Errorf("before them: %s", got)
	}
	page = get(`,"nextToken":"` + page["nextForwardToken"].(string) + `"`)
	if got := messages(page); got != "4 5" {
		t.Errorf("after these: %s", got)
	}
	// The end is known by a token that comes again, and what is new follows.
	token := page["nextForwardToken"].(string)
	page = get(`,"nextToken":"` + token + `"`)
	if messages(page) != "" || page["nextForwardToken"] != token {
		t.Errorf("at the end: %v, token was %s", page, token)
	}
	b.write("g", "s", startTime.Add(time.Minute), "6")
	if got := messages(get(`,"nextToken":"` + token + `"`)); got != "6" {
		t.Errorf("what is new: %s", got)
	}
	if got := messages(get(fmt.Sprintf(`,"startFromHead":true,"startTime":%d,"endTime":%d`, startTime.Add(time.Second).UnixMilli(), startTime.Add(3*time.Second).UnixMilli()))); got != "2 3" {
		t.Errorf("by time, without the end: %s", got)
	}
	b.refused("GetLogEvents", `{"logGroupName":"g","logStreamName":"nope"}`, "ResourceNotFoundException", "The specified log stream does not exist.")
	b.refused("GetLogEvents", `{"logGroupName":"nope","logStreamName":"s"}`, "ResourceNotFoundException", "The specified log group does not exist.")
	b.refused("GetLogEvents", `{"logGroupName":"g","logStreamName":"s","nextToken":"f/x"}`, "InvalidParameterException", "The specified nextToken is invalid.")
	b.refused("GetLogEvents", `{"logGroupName":"g"}`, "InvalidParameterException", "'logStreamName'")
}

func TestFilterLogEvents(t *testing.T) {
	b := newBench(t)
	b.write("g", "a", startTime, "one ERROR", "two", "three ERROR")
	b.write("g", "b", startTime.Add(time.Millisecond), `{"level":"ERROR"}`)
	filter := func(more string) map[string]any {
		t.Helper()
		return b.must("FilterLogEvents", `{"logGroupName":"g"`+more+`}`)
	}
	for more, want := range map[string]string{
		"":                                `one ERROR {"level":"ERROR"} two three ERROR`, // by time
		`,"filterPattern":"ERROR -three"`: `one ERROR {"level":"ERROR"}`,
		`,"filterPattern":"{ $.level = \"ERROR\" }"`: `{"level":"ERROR"}`,
		`,"logStreamNames":["a"]`:                    "one ERROR two three ERROR",
		`,"logStreamNamePrefix":"b"`:                 `{"level":"ERROR"}`,
		fmt.Sprintf(`,"startTime":%d,"endTime":%d`, startTime.Add(time.Second).UnixMilli(), startTime.Add(2*time.Second).UnixMilli()): "two three ERROR",
		`,"filterPattern":"nothing like it"`: "",
	} {
		if got := messages(filter(more)); got != want {
			t.Errorf("%s: %s, want %s", more, got, want)
		}
	}
	// Page by page; every event has an id of its own.
	ids, token, pages := map[string]bool{}, "", 0
	for {
		page := filter(`,"limit":1,"nextToken":"` + token + `"`)
		for _, e := range page["events"].([]any) {
			ids[e.(map[string]any)["eventId"].(string)] = true
		}
		pages++
		if token, _ = page["nextToken"].(string); token == "" {
			break
		}
	}
	if len(ids) != 4 || pages < 4 || pages > 5 {
		t.Errorf("%d events in %d pages", len(ids), pages)
	}
	b.refused("FilterLogEvents", `{"logGroupName":"g","filterPattern":"\"open"}`, "InvalidParameterException", "Invalid filter pattern")
	b.refused("FilterLogEvents", `{"logGroupName":"g","logStreamNames":["a"],"logStreamNamePrefix":"b"}`, "InvalidParameterException", "mutually exclusive")
}

// TestRetention: what is older than a group's retention is not shown, and does
// not stay for ever; it is kept in mind over a restart.
func TestRetention(t *testing.T) {
	b := newBench(t)
	b.write("g", "s", startTime, "old")
	b.must("PutRetentionPolicy", `{"logGroupName":"g","retentionInDays":1}`)
	if _, err := New(t.Context(), Config{Records: b.db, Logs: b.logs, Clock: b.clock}); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(25 * time.Hour)
	b.write("g", "s", b.clock.Now(), "new")
	if got := messages(b.must("FilterLogEvents", `{"logGroupName":"g"}`)); got != "new" {
		t.Errorf("events: %s", got)
	}
	b.must("DeleteRetentionPolicy", `{"logGroupName":"g"}`)
	if got := messages(b.must("FilterLogEvents", `{"logGroupName":"g"}`)); got != "old new" {
		t.Errorf("events without a retention: %s", got)
	}
	b.refused("PutRetentionPolicy", `{"logGroupName":"g","retentionInDays":2}`, "InvalidParameterException", "[1, 3, 5, 7, 14,")
	b.refused("PutRetentionPolicy", `{"logGroupName":"nope","retentionInDays":1}`, "ResourceNotFoundException", "The specified log group does not exist.")
}

func TestRefusals(t *testing.T) {
	b := newBench(t)
	b.refused("CreateLogGroup", `{"logGroupName":"a b"}`, "InvalidParameterException", `Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`)
	b.refused("CreateLogGroup", `{}`, "InvalidParameterException", "Value null at 'logGroupName'")
	b.refused("CreateLogGroup", `{"logGroupName":7}`, "SerializationException", "")
	b.refused("CreateLogGroup", `{"logGroupName":"`+strings.Repeat("x", 513)+`"}`, "InvalidParameterException", "less than or equal to 512")
	b.refused("PutSubscriptionFilter", `{}`, "UnknownOperationException", "PutSubscriptionFilter")
	b.refused("ListTagsForResource", `{"resourceArn":"arn:aws:logs:eu-west-1:000000000000:log-group:g"}`, "ResourceNotFoundException", "")
	b.refused("DescribeLogGroups", `{"nextToken":"%"}`, "InvalidParameterException", "nextToken")
}
