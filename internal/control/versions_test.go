package control

import (
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

func (b *bench) publish(change func(*api.PublishVersionRequest)) (*api.FunctionConfiguration, error) {
	in := &api.PublishVersionRequest{FunctionName: new("fn")}
	change(in)
	return b.ctl.PublishVersion(b.caller(), in)
}

func (b *bench) mustPublish(change func(*api.PublishVersionRequest)) *api.FunctionConfiguration {
	b.t.Helper()
	out, err := b.publish(change)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// describe changes the function, so that there is something to publish.
func (b *bench) describe(text string) {
	b.t.Helper()
	_, err := b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: new("fn"), Description: &text,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.settled("fn")
}

func asIs(*api.PublishVersionRequest) {}

// Rules 47, 55, 56, 58 and 61.
func TestPublishVersion(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) {
		in.Description, in.Tags = new("of the function"), map[string]string{"k": "v"}
	})
	before := b.settled("fn")
	one := b.mustPublish(asIs)
	got := asJSON(t, one)
	want := map[string]any{
		"Version": "1", "FunctionArn": arnBase + "fn:1", "State": "Active", "LastUpdateStatus": "Successful",
		"Description": "of the function",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	latest := b.settled("fn")
	if latest.RevisionID == before.RevisionID || *one.RevisionId == latest.RevisionID {
		t.Errorf("revisions: $LATEST %s, then %s; version %s", before.RevisionID, latest.RevisionID, *one.RevisionId)
	}

	// Nothing has changed: the same version, and nothing moves.
	again := b.mustPublish(func(in *api.PublishVersionRequest) { in.Description = new("not used") })
	if diff := cmp.Diff(asJSON(t, one), asJSON(t, again)); diff != "" {
		t.Errorf("published again (-first +second):\n%s", diff)
	}
	if got := b.settled("fn"); got.RevisionID != latest.RevisionID {
		t.Error("publishing nothing new changed the revision id of $LATEST")
	}

	// A description of its own does not make a version different.
	b.describe("second")
	two := b.mustPublish(func(in *api.PublishVersionRequest) { in.Description = new("of version 2") })
	if *two.Version != "2" || *two.Description != "of version 2" {
		t.Errorf("version %s, description %q", *two.Version, *two.Description)
	}
	if got := b.mustPublish(asIs); *got.RevisionId != *two.RevisionId {
		t.Errorf("published again: version %s", *got.Version)
	}

	// Neither does an update that changes nothing, nor one there and back.
	b.describe("third")
	b.describe("second")
	if got := b.mustPublish(asIs); *got.Version != "2" {
		t.Errorf("after an update and back: version %s", *got.Version)
	}

	// Version 1 is what it was, and has the function's tags.
	fn, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("fn"), Qualifier: new("1")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(t, one), asJSON(t, fn.Configuration)); diff != "" {
		t.Errorf("version 1 (-published +read):\n%s", diff)
	}
	if fn.Tags["k"] != "v" {
		t.Errorf("tags of version 1: %v", fn.Tags)
	}
}

func TestPublishVersionRefuses(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	latest := b.settled("fn")
	sha := codeSHA256(latest.Code)

	_, err := b.publish(func(in *api.PublishVersionRequest) { in.CodeSha256 = new("AAAA") })
	wantError(t, err, "InvalidParameterValueException", "CodeSHA256 (AAAA) is different from current CodeSHA256 in $LATEST ("+
		sha+"). Please try again with the CodeSHA256 in $LATEST.")
	_, err = b.publish(func(in *api.PublishVersionRequest) { in.RevisionId = new("stale") })
	wantError(t, err, "PreconditionFailedException", staleRevision)
	_, err = b.publish(func(in *api.PublishVersionRequest) { in.PublishTo = new("LATEST_PUBLISHED") })
	wantError(t, err, "InvalidParameterValueException", "PublishTo is not supported: this installation has no managed instances.")

	out := b.mustPublish(func(in *api.PublishVersionRequest) { in.CodeSha256, in.RevisionId = &sha, &latest.RevisionID })
	if *out.Version != "1" {
		t.Errorf("version %s", *out.Version)
	}
}

// Rule 57.
func TestVersionNumbersAreNotReused(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	b.mustPublish(asIs)
	b.describe("2")
	b.mustPublish(asIs)
	b.delete("fn", "2")
	if got := b.mustPublish(asIs); *got.Version != "3" {
		t.Errorf("after version 2 was deleted: version %s", *got.Version)
	}
	b.delete("fn", "")
	b.create("fn")
	if got := b.mustPublish(asIs); *got.Version != "4" {
		t.Errorf("after the function was made again: version %s", *got.Version)
	}
}

func (b *bench) delete(name, qualifier string) {
	b.t.Helper()
	in := &api.DeleteFunctionRequest{FunctionName: &name}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	if _, err := b.ctl.DeleteFunction(b.caller(), in); err != nil {
		b.t.Fatal(err)
	}
}

// Rule 60.
func TestUpdateFunctionCodeWithPublish(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	update := func(code string) *api.FunctionConfiguration {
		out, err := b.ctl.UpdateFunctionCode(b.caller(), &api.UpdateFunctionCodeRequest{
			FunctionName: new("fn"), ZipFile: upload(t, zipOf(t, "app.py", code)), Publish: new(true),
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	b.gate.shut()
	out := asJSON(t, update("one"))
	if out["Version"] != "1" || out["State"] != "Pending" || out["StateReasonCode"] != "Creating" ||
		out["LastUpdateStatus"] != nil || out["FunctionArn"] != arnBase+"fn:1" {
		t.Errorf("answer %v", out)
	}
	latest, err := b.db.Get(t.Context(), key("fn"), function.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if latest.LastUpdate != function.UpdateInProgress || latest.State != function.StateActive {
		t.Errorf("$LATEST meanwhile: %+v", latest)
	}
	b.gate.open(nil)
	b.settled("fn")
	one, err := b.db.Get(t.Context(), key("fn"), "1")
	if err != nil {
		t.Fatal(err)
	}
	if one.State != function.StateActive || one.LastUpdate != function.UpdateSuccessful || one.RevisionID == out["RevisionId"] {
		t.Errorf("version 1 at the end: %+v", one)
	}

	// The same code again makes no other version.
	if again := update("one"); *again.Version != "1" || *again.RevisionId != one.RevisionID {
		t.Errorf("the same code again: version %s", *again.Version)
	}
	b.settled("fn")
}

// Publishing from several sides makes one version of one state.
func TestParallelPublish(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	const publishers = 16
	versions := make([]string, publishers)
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			out, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: new("fn")})
			if err != nil {
				t.Error(err)
				return
			}
			versions[i] = *out.Version
		})
	}
	wg.Wait()
	for _, v := range versions {
		if v != "1" {
			t.Fatalf("versions %v", versions)
		}
	}
}

// Rules 40 and 42, and pages.
func TestListVersionsByFunction(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	b.create("fn2") // must not show up
	want := []string{"$LATEST"}
	for i := 1; i <= 12; i++ {
		b.describe(strconv.Itoa(i))
		b.mustPublish(asIs)
		want = append(want, strconv.Itoa(i))
	}
	var got []string
	var marker *string
	for pages := 0; ; pages++ {
		out, err := b.ctl.ListVersionsByFunction(b.caller(), &api.ListVersionsByFunctionRequest{
			FunctionName: new("fn"), MaxItems: new(5), Marker: marker,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Versions {
			got = append(got, *v.Version)
			if *v.FunctionArn != arnBase+"fn:"+*v.Version {
				t.Errorf("ARN %s", *v.FunctionArn)
			}
			if v.State != nil || v.LastUpdateStatus != nil || v.RuntimeVersionConfig != nil {
				t.Errorf("a list shows states: %v", asJSON(t, v))
			}
		}
		if marker = out.NextMarker; marker == nil {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}

	_, err := b.ctl.ListVersionsByFunction(b.caller(), &api.ListVersionsByFunctionRequest{FunctionName: new("fn"), Marker: new("?")})
	wantError(t, err, "InvalidParameterValueException", "The value of Marker is not one that an earlier answer gave as NextMarker.")
}
