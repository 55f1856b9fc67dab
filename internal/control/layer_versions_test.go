package control

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

const (
	layerBase    = "arn:aws:lambda:us-east-1:123456789012:layer:"
	foreignLayer = "arn:aws:lambda:us-east-1:210987654321:layer:theirs"
	invalid      = "InvalidParameterValueException"
	notFound     = "ResourceNotFoundException"
)

// layerZip is an archive that differs from name to name.
func layerZip(t *testing.T, name string) []byte {
	return zipOf(t, "python/lib.py", "name = '"+name+"'")
}

// publishLayer publishes a version of a layer and returns its ARN.
func (b *bench) publishLayer(name string, change ...func(*api.PublishLayerVersionRequest)) string {
	b.t.Helper()
	in := &api.PublishLayerVersionRequest{
		LayerName: &name, Content: &api.LayerVersionContentInput{ZipFile: upload(b.t, layerZip(b.t, name))},
	}
	for _, c := range change {
		c(in)
	}
	out, err := b.ctl.PublishLayerVersion(b.caller(), in)
	if err != nil {
		b.t.Fatal(err)
	}
	return *out.LayerVersionArn
}

// putLayer stores a record as another caller's publishing leaves it.
func (b *bench) putLayer(arn string, code function.Code) {
	b.t.Helper()
	key, number, ok := function.ParseLayerVersionARN(arn)
	if !ok {
		b.t.Fatalf("%s is no ARN", arn)
	}
	err := b.db.Update(b.t.Context(), func(tx *store.Tx) error {
		if _, err := tx.NextLayerVersion(key); err != nil {
			return err
		}
		return tx.InsertLayerVersion(&function.LayerVersion{Key: key, Number: number, Created: startTime, Code: code})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) deleteLayer(name string, number int64) {
	b.t.Helper()
	err := b.ctl.DeleteLayerVersion(b.caller(), &api.DeleteLayerVersionRequest{LayerName: &name, VersionNumber: &number})
	if err != nil {
		b.t.Fatal(err)
	}
}

// useLayers updates a function's layers and waits.
func (b *bench) useLayers(name string, arns ...string) (*api.FunctionConfiguration, error) {
	b.t.Helper()
	out, err := b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: &name, Layers: append([]string{}, arns...),
	})
	if err == nil {
		b.settled(name)
	}
	return out, err
}

// Rules 115 and 116, through the SDK.
func TestLayerVersions(t *testing.T) {
	b := newBench(t)
	full := fmt.Sprintf(`{"Content":{"ZipFile":%q},"Description":"d","CompatibleRuntimes":["python3.12","nasa"],`+
		`"LicenseInfo":"MIT","CompatibleArchitectures":["arm64","x86_64"]}`, base64Of(layerZip(t, "one")))
	status, body := b.send("POST", "/2018-10-31/layers/lib/versions", full)
	if status != 201 {
		t.Fatalf("published: %d %s", status, body)
	}
	one, err := b.ctl.GetLayerVersion(b.caller(), &api.GetLayerVersionRequest{LayerName: new("lib"), VersionNumber: new(int64(1))})
	if err != nil {
		t.Fatal(err)
	}
	content := asJSON(t, one.Content)
	sum := sha256Of(layerZip(t, "one"))
	want := map[string]any{"Location": "https://code.example/" + sum.hex, "CodeSha256": sum.base64, "CodeSize": float64(len(layerZip(t, "one")))}
	if diff := cmp.Diff(want, content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	item := map[string]any{
		"LayerVersionArn": layerBase + "lib:1", "Version": 1.0, "Description": "d", "CreatedDate": "2026-11-22T10:00:00.123+0000",
		"CompatibleRuntimes": []any{"python3.12", "nasa"}, "LicenseInfo": "MIT", "CompatibleArchitectures": []any{"arm64", "x86_64"},
	}
	whole := with(item, map[string]any{"LayerArn": layerBase + "lib", "Content": want})
	if diff := cmp.Diff(whole, asJSON(t, one)); diff != "" {
		t.Errorf("version 1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(asJSON(t, one), parseJSON(t, body)); diff != "" {
		t.Errorf("published (-read +answered):\n%s", diff)
	}

	// By ARN, and by the layer's ARN; nothing that was not given is shown.
	b.publishLayer(layerBase + "lib")
	two, err := b.client().GetLayerVersionByArn(t.Context(), &lambda.GetLayerVersionByArnInput{Arn: aws.String(layerBase + "lib:2")})
	if err != nil {
		t.Fatal(err)
	}
	if two.Version != 2 || two.Description == nil || *two.Description != "" || two.LicenseInfo != nil ||
		two.CompatibleRuntimes != nil || two.CompatibleArchitectures != nil {
		t.Errorf("version 2: %+v", two)
	}
	list, err := b.ctl.ListLayerVersions(b.caller(), &api.ListLayerVersionsRequest{LayerName: new("lib")})
	if err != nil {
		t.Fatal(err)
	}
	second := map[string]any{
		"LayerVersionArn": layerBase + "lib:2", "Version": 2.0, "Description": "", "CreatedDate": "2026-11-22T10:00:00.123+0000",
	}
	if diff := cmp.Diff(map[string]any{"LayerVersions": []any{second, item}}, asJSON(t, list)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	layers, err := b.ctl.ListLayers(b.caller(), &api.ListLayersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	latest := map[string]any{"LayerName": "lib", "LayerArn": layerBase + "lib", "LatestMatchingVersion": second}
	if diff := cmp.Diff(map[string]any{"Layers": []any{latest}}, asJSON(t, layers)); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}

	// Numbers go on, and deleting what is not there succeeds.
	for _, n := range []int64{2, 1, 1, 77} {
		b.deleteLayer("lib", n)
	}
	b.deleteLayer("none", 1)
	if status, body := b.send("GET", "/2018-10-31/layers/lib/versions", ""); status != 200 || body != `{"LayerVersions":[]}` {
		t.Errorf("versions when all are deleted: %d %s", status, body)
	}
	if status, body := b.send("GET", "/2018-10-31/layers", ""); status != 200 || body != `{"Layers":[]}` {
		t.Errorf("layers when all are deleted: %d %s", status, body)
	}
	if arn := b.publishLayer("lib"); arn != layerBase+"lib:3" {
		t.Errorf("published after that: %s", arn)
	}
}

func TestLayerListsArePagedAndFiltered(t *testing.T) {
	b := newBench(t)
	for i, name := range []string{"b", "a", "b", "c", "b"} {
		b.publishLayer(name, func(in *api.PublishLayerVersionRequest) {
			if i%2 == 0 {
				in.CompatibleRuntimes = []string{"python3.12"}
			}
			if name == "b" {
				in.CompatibleArchitectures = []string{"arm64"}
			}
		})
	}
	for _, tt := range []struct {
		runtime, architecture *string
		versions, layers      string
	}{
		{nil, nil, "3 2 1", "a:1 b:3 c:1"},
		{new("python3.12"), nil, "3 2 1", "b:3"},
		{nil, new("arm64"), "3 2 1", "b:3"},
		{new("python3.12"), new("arm64"), "3 2 1", "b:3"},
		{new("nodejs22.x"), nil, "", ""},
		{nil, new("x86_64"), "", ""},
	} {
		var versions, layers []string
		for marker, more := (*string)(nil), true; more; {
			out, err := b.ctl.ListLayerVersions(b.caller(), &api.ListLayerVersionsRequest{
				LayerName: new("b"), MaxItems: new(2), Marker: marker, CompatibleRuntime: tt.runtime, CompatibleArchitecture: tt.architecture,
			})
			if err != nil || len(out.LayerVersions) > 2 {
				t.Fatalf("%d versions, %v", len(out.LayerVersions), err)
			}
			for _, v := range out.LayerVersions {
				versions = append(versions, fmt.Sprint(*v.Version))
			}
			marker, more = out.NextMarker, out.NextMarker != nil
		}
		for marker, more := (*string)(nil), true; more; {
			out, err := b.ctl.ListLayers(b.caller(), &api.ListLayersRequest{
				MaxItems: new(2), Marker: marker, CompatibleRuntime: tt.runtime, CompatibleArchitecture: tt.architecture,
			})
			if err != nil || len(out.Layers) > 2 {
				t.Fatalf("%d layers, %v", len(out.Layers), err)
			}
			for _, v := range out.Layers {
				layers = append(layers, fmt.Sprint(*v.LayerName, ":", *v.LatestMatchingVersion.Version))
			}
			marker, more = out.NextMarker, out.NextMarker != nil
		}
		what := fmt.Sprint(api.Value(tt.runtime), " ", api.Value(tt.architecture))
		if got := strings.Join(versions, " "); got != tt.versions {
			t.Errorf("versions for %s: %q, want %q", what, got, tt.versions)
		}
		if got := strings.Join(layers, " "); got != tt.layers {
			t.Errorf("layers for %s: %q, want %q", what, got, tt.layers)
		}
	}
}

func TestLayerVersionsRefused(t *testing.T) {
	b := newBench(t, func(cfg *Config) { cfg.Limits.TotalCodeSize = int64(len(layerZip(t, "lib"))) })
	b.publishLayer("lib")
	b.putLayer(foreignLayer+":1", function.Code{SHA256: strings.Repeat("a", 64), Size: 1, Unzipped: 1})
	elsewhere := "arn:aws:lambda:eu-west-1:123456789012:layer:lib"
	b.putLayer(elsewhere+":1", function.Code{SHA256: strings.Repeat("a", 64), Size: 1, Unzipped: 1})
	const missing, belowOne = "The resource you requested does not exist.", "Layer Version Cannot be less than 1"

	get := func(name string, n int64) func() error {
		return func() error {
			_, err := b.ctl.GetLayerVersion(b.caller(), &api.GetLayerVersionRequest{LayerName: &name, VersionNumber: &n})
			return err
		}
	}
	byARN := func(arn string) func() error {
		return func() error {
			_, err := b.ctl.GetLayerVersionByArn(b.caller(), &api.GetLayerVersionByArnRequest{Arn: &arn})
			return err
		}
	}
	remove := func(name string, n int64) func() error {
		return func() error {
			return b.ctl.DeleteLayerVersion(b.caller(), &api.DeleteLayerVersionRequest{LayerName: &name, VersionNumber: &n})
		}
	}
	publish := func(change func(*api.PublishLayerVersionRequest)) func() error {
		return func() error {
			in := &api.PublishLayerVersionRequest{
				LayerName: new("lib"), Content: &api.LayerVersionContentInput{ZipFile: upload(t, layerZip(t, "x"))},
			}
			change(in)
			_, err := b.ctl.PublishLayerVersion(b.caller(), in)
			return err
		}
	}
	runtimes := strings.Join(function.LayerRuntimes(), ", ")
	for what, tt := range map[string]struct {
		do         func() error
		code, text string
	}{
		"get missing":            {get("lib", 2), notFound, missing},
		"get of no layer":        {get("none", 1), notFound, missing},
		"get version 0":          {get("lib", 0), invalid, belowOne},
		"get of another region":  {get(elsewhere, 1), notFound, missing},
		"by ARN missing":         {byARN(layerBase + "lib:2"), notFound, missing},
		"by ARN version 0":       {byARN(layerBase + "lib:0"), invalid, belowOne},
		"by ARN of AWS's own":    {byARN("arn:aws:lambda:::awslayer:x"), notFound, missing},
		"by ARN of a region":     {byARN(elsewhere + ":1"), notFound, missing},
		"delete version -1":      {remove("lib", -1), invalid, belowOne},
		"delete another's":       {remove(foreignLayer, 1), "AccessDeniedException", ""},
		"delete of a region":     {remove(elsewhere, 1), notFound, missing},
		"publish another's":      {publish(func(in *api.PublishLayerVersionRequest) { in.LayerName = new(foreignLayer) }), "AccessDeniedException", ""},
		"publish nothing":        {publish(func(in *api.PublishLayerVersionRequest) { in.Content = &api.LayerVersionContentInput{} }), invalid, "Please provide a source for function code."},
		"publish no zip":         {publish(func(in *api.PublishLayerVersionRequest) { in.Content.ZipFile = upload(t, []byte("no")) }), invalid, "Could not unzip uploaded file. Please check your file, then try to upload again."},
		"publish an empty file":  {publish(func(in *api.PublishLayerVersionRequest) { in.Content.ZipFile = upload(t, nil) }), invalid, "Uploaded file must be a non-empty zip"},
		"publish beyond storage": {publish(func(*api.PublishLayerVersionRequest) {}), "CodeStorageExceededException", "Code storage limit exceeded."},
		"publish for a runtime": {publish(func(in *api.PublishLayerVersionRequest) { in.CompatibleRuntimes = []string{"python3.12", "perl5"} }), "ValidationException",
			"1 validation error detected: Value '[python3.12, perl5]' at 'compatibleRuntimes' failed to satisfy constraint: " +
				"Member must satisfy constraint: [Member must satisfy enum value set: [" + runtimes + "], Member must not be null]"},
		"list for a runtime": {func() error {
			_, err := b.ctl.ListLayers(b.caller(), &api.ListLayersRequest{CompatibleRuntime: new("perl5")})
			return err
		}, "ValidationException", "1 validation error detected: Value 'perl5' at 'compatibleRuntime' failed to satisfy constraint: Member must satisfy enum value set: [" + runtimes + "]"},
		"list with a marker": {func() error {
			_, err := b.ctl.ListLayerVersions(b.caller(), &api.ListLayerVersionsRequest{
				LayerName: new("lib"), Marker: new(store.Cursor{Name: "fn", Version: function.Latest}.String()),
			})
			return err
		}, invalid, "The value of Marker is not one that an earlier answer gave as NextMarker."},
	} {
		t.Run(what, func(t *testing.T) { wantError(t, tt.do(), tt.code, tt.text) })
	}
	if err := get(foreignLayer, 1)(); err != nil {
		t.Errorf("another account's layer: %v", err)
	}
	if err := get(elsewhere, 1)(); err == nil {
		t.Error("a layer of another region can be read")
	}
	if status, body := b.send("POST", "/2018-10-31/layers/lib/versions", `{}`); status != 400 || !strings.Contains(body, "Value null at 'content'") {
		t.Errorf("without content: %d %s", status, body)
	}
	if status, body := b.send("GET", "/2018-10-31/layers/lib/versions?MaxItems=51", ""); status != 400 || !strings.Contains(body, "less than or equal to 50") {
		t.Errorf("51 items: %d %s", status, body)
	}
}

// sums are the forms of a digest.
type sums struct{ hex, base64 string }

func sha256Of(content []byte) sums {
	sum := sha256.Sum256(content)
	return sums{hex.EncodeToString(sum[:]), base64Of(sum[:])}
}

func base64Of(content []byte) string { return base64.StdEncoding.EncodeToString(content) }

func parseJSON(t *testing.T, text string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}
