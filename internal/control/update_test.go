package control

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

const staleRevision = "The Revision Id provided does not match the latest Revision Id. " +
	"Call the GetFunction/GetAlias API to retrieve the latest Revision Id"

// An updater is one of the two operations that change $LATEST.
type updater struct {
	name   string
	update func(name string, revision *string) (*api.FunctionConfiguration, error)
}

func updaters(t *testing.T, b *bench) []updater {
	return []updater{
		{"UpdateFunctionConfiguration", func(name string, revision *string) (*api.FunctionConfiguration, error) {
			return b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
				FunctionName: &name, RevisionId: revision, Description: new("updated"),
			})
		}},
		{"UpdateFunctionCode", func(name string, revision *string) (*api.FunctionConfiguration, error) {
			return b.ctl.UpdateFunctionCode(b.caller(), &api.UpdateFunctionCodeRequest{
				FunctionName: &name, RevisionId: revision, ZipFile: upload(t, zipOf(t, "app.py", "updated = 1")),
			})
		}},
	}
}

// Rules 45, 46, 51, 52 and 53, for both operations.
func TestUpdateCycle(t *testing.T) {
	b := newBench(t)
	for _, u := range updaters(t, b) {
		t.Run(u.name, func(t *testing.T) {
			b.create(u.name)
			before := b.settled(u.name)

			_, err := u.update(u.name, new("00000000-0000-4000-8000-000000000000"))
			wantError(t, err, "PreconditionFailedException", staleRevision)

			b.gate.shut()
			out, err := u.update(u.name, &before.RevisionID)
			if err != nil {
				t.Fatal(err)
			}
			got := asJSON(t, out)
			want := map[string]any{
				"State": "Active", "LastUpdateStatus": "InProgress",
				"LastUpdateStatusReason": "The function is being created.", "LastUpdateStatusReasonCode": "Creating",
			}
			for name, value := range want {
				if got[name] != value {
					t.Errorf("%s is %v, want %v", name, got[name], value)
				}
			}
			if got["StateReason"] != nil || got["RevisionId"] == before.RevisionID {
				t.Errorf("reason %v, revision %v after %v", got["StateReason"], got["RevisionId"], before.RevisionID)
			}

			_, err = u.update(u.name, nil)
			wantError(t, err, "ResourceConflictException",
				"The operation cannot be performed at this time. An update is in progress for resource: "+arnBase+u.name)
			_, err = b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: &u.name})
			wantError(t, err, "ResourceConflictException",
				"The operation cannot be performed at this time. An update is in progress for resource: "+arnBase+u.name)

			// What ran before still runs.
			during, err := b.db.Get(t.Context(), key(u.name), function.Latest)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before.Runs(), during.Runs()); diff != "" {
				t.Errorf("runs during the update (-before +during):\n%s", diff)
			}

			b.gate.open(nil)
			after := b.settled(u.name)
			if after.State != function.StateActive || after.LastUpdate != function.UpdateSuccessful || after.LastUpdateReason != (function.Reason{}) {
				t.Errorf("after the update: %+v", after)
			}
			if after.RevisionID == *out.RevisionId {
				t.Error("the end of the update did not change the revision id")
			}
			if cmp.Equal(before.Runs(), after.Runs()) {
				t.Error("the update does not run")
			}

			// The same again changes nothing, and is a cycle all the same.
			b.gate.shut()
			out, err = u.update(u.name, nil)
			if err != nil || *out.LastUpdateStatus != "InProgress" || *out.RevisionId == after.RevisionID {
				t.Errorf("an update without a change: %+v, %v", out, err)
			}
			b.gate.open(nil)
			b.settled(u.name)
		})
	}
}

func TestUpdateWhilePending(t *testing.T) {
	b := newBench(t)
	b.gate.shut()
	if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "pending")); err != nil {
		t.Fatal(err)
	}
	const message = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
	for _, u := range updaters(t, b) {
		_, err := u.update("pending", nil)
		wantError(t, err, "ResourceConflictException", message)
	}
	_, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: new("pending")})
	wantError(t, err, "ResourceConflictException", message)
	b.gate.open(nil)
	b.settled("pending")
}

// Of updates at the same time exactly one wins, with a revision id or without.
func TestParallelUpdates(t *testing.T) {
	b := newBench(t)
	for _, u := range updaters(t, b) {
		for _, withRevision := range []bool{false, true} {
			name := u.name
			if withRevision {
				name += "-revision"
			}
			b.create(name)
			var revision *string
			if withRevision {
				revision = new(b.settled(name).RevisionID)
			}
			b.gate.shut()
			const writers = 16
			errs := make([]error, writers)
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() { _, errs[i] = u.update(name, revision) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				var conflict *api.ResourceConflictException
				switch {
				case err == nil:
					won++
				case !errors.As(err, &conflict):
					t.Errorf("%s: %v", name, err)
				}
			}
			if won != 1 {
				t.Errorf("%s: %d of %d updates won", name, won, writers)
			}
			b.gate.open(nil)
			b.settled(name)
		}
	}
}

func TestUpdateFunctionCode(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) { in.Description = new("kept") })
	before := b.settled("fn")
	other := zipOf(t, "app.py", "other = 1")

	update := func(change func(*api.UpdateFunctionCodeRequest)) (*api.FunctionConfiguration, error) {
		in := &api.UpdateFunctionCodeRequest{FunctionName: new("fn"), ZipFile: upload(t, other)}
		change(in)
		return b.ctl.UpdateFunctionCode(b.caller(), in)
	}

	// A dry run shows what would be, and changes nothing.
	dry, err := update(func(in *api.UpdateFunctionCodeRequest) { in.DryRun = new(true) })
	if err != nil {
		t.Fatal(err)
	}
	if *dry.CodeSize != int64(len(other)) || *dry.RevisionId != before.RevisionID || *dry.LastUpdateStatus != "Successful" {
		t.Errorf("dry run: %v", asJSON(t, dry))
	}
	if diff := cmp.Diff(before, b.settled("fn")); diff != "" {
		t.Errorf("a dry run changed the record (-before +after):\n%s", diff)
	}

	const invalid = "InvalidParameterValueException"
	refusals := map[string]struct {
		change  func(*api.UpdateFunctionCodeRequest)
		message string
	}{
		"no source":  {func(in *api.UpdateFunctionCodeRequest) { in.ZipFile = nil }, "Please provide a source for function code."},
		"image":      {func(in *api.UpdateFunctionCodeRequest) { in.ImageUri = new("x") }, "Please don't provide ImageUri when updating a function with packageType Zip."},
		"S3":         {func(in *api.UpdateFunctionCodeRequest) { in.ZipFile, in.S3Bucket = nil, new("b") }, "Code from Amazon S3 is not supported by this installation. Please provide the deployment package as ZipFile."},
		"both":       {func(in *api.UpdateFunctionCodeRequest) { in.S3Key = new("k") }, "Please do not provide other FunctionCode parameters when providing a ZipFile."},
		"bad zip":    {func(in *api.UpdateFunctionCodeRequest) { in.ZipFile = upload(t, []byte("PK")) }, "Could not unzip uploaded file. Please check your file, then try to upload again."},
		"publish to": {func(in *api.UpdateFunctionCodeRequest) { in.PublishTo = new("LATEST_PUBLISHED") }, "PublishTo is not supported: this installation has no managed instances."},
		"dry bad zip": {func(in *api.UpdateFunctionCodeRequest) {
			in.DryRun, in.ZipFile = new(true), upload(t, []byte("PK"))
		}, "Could not unzip uploaded file. Please check your file, then try to upload again."},
	}
	for name, tt := range refusals {
		_, err := update(tt.change)
		t.Run(name, func(t *testing.T) { wantError(t, err, invalid, tt.message) })
	}
	_, err = update(func(in *api.UpdateFunctionCodeRequest) { in.DryRun, in.RevisionId = new(true), new("stale") })
	wantError(t, err, "PreconditionFailedException", staleRevision)

	out, err := update(func(in *api.UpdateFunctionCodeRequest) {
		in.Architectures, in.SourceKMSKeyArn = []string{"arm64"}, new("arn:aws:kms:x")
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.Architectures[0] != "arm64" || *out.Description != "kept" || *out.CodeSha256 != *dry.CodeSha256 || *out.Version != "$LATEST" {
		t.Errorf("answer %v", asJSON(t, out))
	}
	b.settled("fn")
	fn, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("fn")})
	if err != nil {
		t.Fatal(err)
	}
	if *fn.Code.RepositoryType != "S3" || *fn.Code.SourceKMSKeyArn != "arn:aws:kms:x" ||
		!strings.HasSuffix(*fn.Code.Location, b.settled("fn").Code.SHA256) {
		t.Errorf("code %v", asJSON(t, fn.Code))
	}
}

func TestUpdateFunctionConfiguration(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) {
		in.VpcConfig = &api.VpcConfig{SubnetIds: []string{"s"}, SecurityGroupIds: []string{"g"}}
		in.Tags = map[string]string{"k": "v"}
	})
	b.clock.Advance(90_000_000_000)
	out, err := b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: new("fn"), Timeout: new(30), Runtime: new("python3.13"), VpcConfig: &api.VpcConfig{SubnetIds: []string{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, out)
	want := map[string]any{
		"Timeout": 30.0, "MemorySize": 128.0, "LastModified": "2026-11-22T10:01:30.123+0000",
		"VpcConfig":            map[string]any{"SubnetIds": []any{}, "SecurityGroupIds": []any{}, "VpcId": "", "Ipv6AllowedForDualStack": false},
		"RuntimeVersionConfig": map[string]any{"RuntimeVersionArn": function.RuntimeVersionARN("aws", region, "python3.13")},
	}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	b.settled("fn")

	// A refused update leaves no trace.
	before := b.settled("fn")
	_, err = b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: new("fn"), Description: new("lost"), Timeout: new(1000),
	})
	if err == nil {
		t.Error("a timeout of 1000 s was accepted")
	}
	if diff := cmp.Diff(before, b.settled("fn")); diff != "" {
		t.Errorf("a refused update changed the record (-before +after):\n%s", diff)
	}
	if before.Config.Kept.Tags["k"] != "v" {
		t.Error("an update lost the tags")
	}
}
