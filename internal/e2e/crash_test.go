package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// content is what of a version the crash test sets and compares.
type content struct{ code, mark string } // the CodeSha256, and a variable

// record is what a worker knows of its function from lamb's answers.
type record struct {
	exists    bool
	latest    content
	versions  map[string]content
	published int // the highest number ever seen
}

func (r record) clone() record {
	r.versions = maps.Clone(r.versions)
	return r
}

// crashWorker owns one function and changes it, one operation after the other.
type crashWorker struct {
	name    string
	random  *rand.Rand
	codes   map[string][]byte // by CodeSha256
	known   record            // acknowledged
	pending *record           // what is also possible: an operation was cut off
	marks   int
}

// TestCrash kills lamb again and again while functions are made, changed,
// published and deleted. After each restart all that was acknowledged is
// there, and nothing is left half done.
func TestCrash(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	rounds, seed := 12, uint64(20261122)
	if testing.Short() {
		rounds = 3
	}
	t.Logf("seed %d, %d rounds", seed, rounds)
	random := rand.New(rand.NewPCG(seed, 1))
	data := folder(t)
	codes := map[string][]byte{}
	for i := range 4 {
		code := shell(t, fmt.Sprintf("code %d", i))
		codes[sum(code)] = code
	}
	workers := make([]*crashWorker, 6)
	for i := range workers {
		workers[i] = &crashWorker{
			name: fmt.Sprintf("crash-%d", i), codes: codes, random: rand.New(rand.NewPCG(seed, uint64(i+2))),
			known: record{versions: map[string]content{}},
		}
	}
	total := 0
	for round := range rounds {
		l := startLamb(t, "--data-dir", data)
		for _, w := range workers {
			w.check(t, l)
		}
		checkList(t, l, workers)
		if t.Failed() {
			t.Fatalf("after %d rounds and %d acknowledged operations", round, total)
		}
		total += crashRound(t, l, workers, 20+random.IntN(60))
	}
	t.Logf("%d operations were acknowledged", total)
	if total < rounds*20 {
		t.Errorf("only %d operations in %d rounds", total, rounds)
	}
	l := startLamb(t, "--data-dir", data)
	for _, w := range workers {
		w.check(t, l)
	}
	checkList(t, l, workers)
}

// crashRound lets the workers work until n operations are acknowledged, kills
// lamb at that moment, and returns how many there were.
func crashRound(t *testing.T, l *lamb, workers []*crashWorker, n int) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		acknowledged atomic.Int64
		enough       = make(chan struct{})
		all          sync.WaitGroup
	)
	for _, w := range workers {
		all.Go(func() {
			for w.work(t, ctx, l) {
				if acknowledged.Add(1) == int64(n) {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		t.Errorf("only %d operations in %s\n%s", acknowledged.Load(), patience, tail(l.stderr.String()))
	}
	inside := watch(t, descendants(t, l.PID)...)
	l.kill()
	cancel()
	all.Wait()
	if errors.Is(l.err, context.DeadlineExceeded) {
		t.Error(l.err)
	}
	mustEnd(t, inside)
	return int(acknowledged.Load())
}

// work does one operation. It is false when lamb did not answer.
func (w *crashWorker) work(t *testing.T, ctx context.Context, l *lamb) bool {
	c := l.client()
	next := w.known.clone()
	code, zip := w.anyCode()
	w.marks++
	mark := fmt.Sprint(w.marks)
	var err error
	switch kind := w.random.IntN(10); {
	case !w.known.exists:
		next.exists, next.latest = true, content{code, mark}
		_, err = c.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &w.name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Role: aws.String(role), Timeout: aws.Int32(20),
			Code: &types.FunctionCode{ZipFile: zip}, Environment: environment(map[string]string{"MARK": mark}),
		})
	case kind < 3:
		next.latest.code = code
		_, err = c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &w.name, ZipFile: zip})
	case kind < 6:
		next.latest.mark = mark
		_, err = c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &w.name, Environment: environment(map[string]string{"MARK": mark}),
		})
	case kind < 8:
		next.published++
		next.versions[fmt.Sprint(next.published)] = next.latest
		var out *lambda.PublishVersionOutput
		out, err = c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &w.name})
		if err == nil && aws.ToString(out.Version) != fmt.Sprint(next.published) {
			next = w.known.clone() // nothing had changed: an old version again
			if next.versions[*out.Version] != next.latest {
				t.Errorf("%s: publishing %v gave version %s, which is %v", w.name, next.latest, *out.Version, next.versions[*out.Version])
			}
		}
	case kind < 9:
		if _, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: &w.name}); err == nil {
			return true
		}
	default:
		next.exists, next.latest, next.versions = false, content{}, map[string]content{}
		_, err = c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &w.name})
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		t.Errorf("%s: %v", w.name, err)
		return false
	}
	if err != nil {
		w.pending = &next
		return false
	}
	w.known = next
	return !w.known.exists || w.settle(ctx, c)
}

// settle waits for the end of an update. It is false when lamb does not answer.
func (w *crashWorker) settle(ctx context.Context, c *lambda.Client) bool {
	active := lambda.NewFunctionActiveV2Waiter(c, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	if active.Wait(ctx, &lambda.GetFunctionInput{FunctionName: &w.name}, patience) != nil {
		return false
	}
	updated := lambda.NewFunctionUpdatedV2Waiter(c, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	return updated.Wait(ctx, &lambda.GetFunctionInput{FunctionName: &w.name}, patience) == nil
}

func (w *crashWorker) anyCode() (sha string, zip []byte) {
	all := slices.Sorted(maps.Keys(w.codes))
	sha = all[w.random.IntN(len(all))]
	return sha, w.codes[sha]
}

// check compares what a restarted lamb has with what was acknowledged, and
// goes on with what it has.
func (w *crashWorker) check(t *testing.T, l *lamb) {
	t.Helper()
	has := w.read(t, l)
	switch {
	case same(has, w.known):
	case w.pending != nil && same(has, *w.pending):
	default:
		t.Errorf("%s is\n %+v\nacknowledged was\n %+v\nand cut off\n %+v", w.name, has, w.known, w.pending)
		return
	}
	// Numbers are never used again, so the highest is not forgotten.
	highest := w.known.published
	if w.pending != nil && same(has, *w.pending) {
		highest = w.pending.published
	}
	has.published = highest
	w.known, w.pending = has, nil
	if !has.exists {
		return
	}
	for version, is := range has.versions {
		w.invoke(t, l, version, is)
	}
	w.invoke(t, l, "$LATEST", has.latest)
}

func same(a, b record) bool {
	return a.exists == b.exists && a.latest == b.latest && maps.Equal(a.versions, b.versions)
}

// read is what lamb has of the function, when nothing is in progress any more.
func (w *crashWorker) read(t *testing.T, l *lamb) record {
	t.Helper()
	c := l.client()
	has := record{versions: map[string]content{}}
	_, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &w.name})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return has
	}
	if err != nil || !w.settle(t.Context(), c) {
		t.Errorf("%s does not become active: %v", w.name, err)
		return has
	}
	has.exists = true
	pages := lambda.NewListVersionsByFunctionPaginator(c, &lambda.ListVersionsByFunctionInput{FunctionName: &w.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			is := content{code: aws.ToString(v.CodeSha256)}
			if v.Environment != nil {
				is.mark = v.Environment.Variables["MARK"]
			}
			if *v.Version == "$LATEST" {
				has.latest = is
			} else {
				has.versions[*v.Version] = is
			}
		}
	}
	return has
}

// invoke runs a version now and then, and looks at the code that it has.
func (w *crashWorker) invoke(t *testing.T, l *lamb, version string, is content) {
	t.Helper()
	if w.random.IntN(4) != 0 {
		return
	}
	out, err := l.client().GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &w.name, Qualifier: &version})
	if err != nil {
		t.Error(err)
		return
	}
	if got := sum(download(t, *out.Code.Location)); got != is.code {
		t.Errorf("%s:%s gives code %s, want %s", w.name, version, got, is.code)
	}
	got := l.invoke(t, w.name, `{}`, func(in *lambda.InvokeInput) { in.Qualifier = &version }).succeeded(t)
	if !strings.HasSuffix(got, " "+is.mark+`"`) || !strings.HasPrefix(got, `"code `) {
		t.Errorf("%s:%s answers %s, want mark %s", w.name, version, got, is.mark)
	}
}

// checkList compares the list of functions with those that exist.
func checkList(t *testing.T, l *lamb, workers []*crashWorker) {
	t.Helper()
	var want, got []string
	for _, w := range workers {
		if w.known.exists {
			want = append(want, w.name)
		}
	}
	out, err := l.client().ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range out.Functions {
		got = append(got, aws.ToString(f.FunctionName))
	}
	if !slices.Equal(got, want) {
		t.Errorf("lamb lists %q, want %q", got, want)
	}
}
