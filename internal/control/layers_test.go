package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/function"
)

// Rules 117 and 118.
func TestLayersOfFunctions(t *testing.T) {
	b := newBench(t)
	one, two := b.publishLayer("one"), b.publishLayer("two")
	theirs := foreignLayer + ":1"
	b.putLayer(theirs, b.codeOf(one))
	created := b.create("fn", func(in *api.CreateFunctionRequest) { in.Layers = []string{two, one, theirs} })
	size := func(name string) *int64 { return new(int64(len(layerZip(t, name)))) }
	want := []api.Layer{{Arn: &two, CodeSize: size("two")}, {Arn: &one, CodeSize: size("one")}, {Arn: &theirs, CodeSize: size("one")}}
	published := b.mustPublish(asIs)
	got, err := b.ctl.GetFunctionConfiguration(b.caller(), &api.GetFunctionConfigurationRequest{FunctionName: new("fn")})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := b.ctl.ListFunctions(b.caller(), &api.ListFunctionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for what, cfg := range map[string]*api.FunctionConfiguration{"created": created, "published": published, "read": got, "listed": &listed.Functions[0]} {
		if diff := cmp.Diff(want, cfg.Layers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}

	// What is deleted stays, and can be had no more.
	b.deleteLayer("one", 1)
	b.describe("changed")
	if v := b.settled("fn"); len(v.Config.Layers) != 3 || v.State != function.StateActive || v.LastUpdate != function.UpdateSuccessful {
		t.Errorf("with a deleted layer: %+v", v)
	}
	_, err = b.useLayers("fn", one)
	wantError(t, err, invalid, "Layer version "+one+" does not exist.")
	_, err = b.ctl.CreateFunction(b.caller(), createRequest(t, "late", func(in *api.CreateFunctionRequest) { in.Layers = []string{two, one} }))
	wantError(t, err, invalid, "Layer version "+one+" does not exist.")
	if _, err := b.db.Get(t.Context(), key("late"), function.Latest); err == nil {
		t.Error("a function with a layer that is missing was made")
	}

	// Another list replaces, an empty one removes, and the version stays.
	for _, arns := range [][]string{{two}, {}} {
		out, err := b.useLayers("fn", arns...)
		if err != nil || len(out.Layers) != len(arns) {
			t.Errorf("layers %v: %v, %v", arns, out, err)
		}
	}
	if m := asJSON(t, b.read("fn", "")); m["Layers"] != nil {
		t.Errorf("without layers: %v", m)
	}
	if diff := cmp.Diff(want, b.read("fn", "1").Layers); diff != "" {
		t.Errorf("version 1 (-want +got):\n%s", diff)
	}
	if out := b.mustPublish(asIs); *out.Version != "2" {
		t.Errorf("version %s: other layers are a change", *out.Version)
	}
}

func TestLayersAndCodeHaveASizeTogether(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	code := b.settled("fn").Code.Unzipped
	layer := func(name string, unzipped int64) string {
		c := b.codeOf(b.publishLayer("real-" + name))
		c.Unzipped = unzipped
		b.putLayer(layerBase+name+":1", c)
		return layerBase + name + ":1"
	}
	half := layer("half", artifact.DefaultUnzipped/2)
	_, err := b.useLayers("fn", half, layer("more", artifact.DefaultUnzipped/2+1))
	wantError(t, err, invalid, "Layers consume more than the available size of 262144000 bytes")
	_, err = b.useLayers("fn", half, layer("other", artifact.DefaultUnzipped/2))
	wantError(t, err, invalid, fmt.Sprintf("Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "+
		"The actual size is %d bytes.", 262144000+code))
	if _, err := b.useLayers("fn", half, layer("fits", artifact.DefaultUnzipped/2-code)); err != nil {
		t.Fatalf("layers that just fit: %v", err)
	}
	for _, dry := range []bool{true, false} {
		_, err = b.ctl.UpdateFunctionCode(b.caller(), &api.UpdateFunctionCodeRequest{
			FunctionName: new("fn"), DryRun: &dry, ZipFile: upload(t, zipOf(t, "app.py", strings.Repeat("#", int(code)+1))),
		})
		wantError(t, err, invalid, "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "+
			"The actual size is 262144001 bytes.")
	}
}

func TestLayerThatIsLost(t *testing.T) {
	b := newBench(t)
	arn := b.publishLayer("lib")
	b.gate.shut()
	if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "fn", func(in *api.CreateFunctionRequest) { in.Layers = []string{arn} })); err != nil {
		t.Fatal(err)
	}
	b.restart(func() {
		if err := os.Remove(filepath.Join(b.codeDir(), sha256Of(layerZip(t, "lib")).hex+".zip")); err != nil {
			t.Fatal(err)
		}
		b.gate.open(nil)
	})
	v := b.settled("fn")
	if v.State != function.StateFailed || v.StateReason != (function.Reason{
		Text: "A layer of the function is missing or damaged, or its layers do not go together.", Code: "InvalidZipFileException",
	}) {
		t.Errorf("record %+v", v)
	}
}

// codeOf is the code of a layer version.
func (b *bench) codeOf(arn string) function.Code {
	b.t.Helper()
	key, number, _ := function.ParseLayerVersionARN(arn)
	v, err := b.db.LayerVersion(b.t.Context(), key, number)
	if err != nil {
		b.t.Fatal(err)
	}
	return v.Code
}

// read is GetFunctionConfiguration.
func (b *bench) read(name, qualifier string) *api.FunctionConfiguration {
	b.t.Helper()
	in := &api.GetFunctionConfigurationRequest{FunctionName: &name}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out, err := b.ctl.GetFunctionConfiguration(b.caller(), in)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}
