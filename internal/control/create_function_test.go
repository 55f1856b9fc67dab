package control

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/function"
)

// newFunctionJSON is what CreateFunction answers, rules 32 to 35.
func newFunctionJSON(name string, zip []byte) map[string]any {
	sum := sha256.Sum256(zip)
	return map[string]any{
		"FunctionName": name, "FunctionArn": arnBase + name,
		"Runtime": "python3.12", "Role": role, "Handler": "app.handler",
		"CodeSize": float64(len(zip)), "CodeSha256": base64.StdEncoding.EncodeToString(sum[:]),
		"Description": "", "Timeout": 3.0, "MemorySize": 128.0, "Version": "$LATEST",
		"LastModified": "2026-11-22T10:00:00.123+0000", "RevisionId": "*",
		"State": "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating",
		"PackageType": "Zip", "Architectures": []any{"x86_64"},
		"EphemeralStorage":     map[string]any{"Size": 512.0},
		"TracingConfig":        map[string]any{"Mode": "PassThrough"},
		"SnapStart":            map[string]any{"ApplyOn": "None", "OptimizationStatus": "Off"},
		"LoggingConfig":        map[string]any{"LogFormat": "Text", "LogGroup": "/aws/lambda/" + name},
		"RuntimeVersionConfig": map[string]any{"RuntimeVersionArn": function.RuntimeVersionARN("aws", region, "python3.12")},
	}
}

var stateMembers = []string{"State", "StateReason", "StateReasonCode"}

func TestCreateFunction(t *testing.T) {
	b := newBench(t)
	b.gate.shut()
	zip := zipOf(t, "app.py", "x = 1")
	out, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "fresh", func(in *api.CreateFunctionRequest) {
		in.Code.ZipFile = upload(t, zip)
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := newFunctionJSON("fresh", zip)
	if diff := cmp.Diff(want, asJSON(t, out, "RevisionId")); diff != "" {
		t.Errorf("answer of CreateFunction (-want +got):\n%s", diff)
	}

	// It answered before the function is active, and shows the same until then.
	read := func() map[string]any {
		cfg, err := b.ctl.GetFunctionConfiguration(b.caller(), &api.GetFunctionConfigurationRequest{FunctionName: new("fresh")})
		if err != nil {
			t.Fatal(err)
		}
		return asJSON(t, cfg)
	}
	if diff := cmp.Diff(asJSON(t, out), read()); diff != "" {
		t.Errorf("while pending (-created +read):\n%s", diff)
	}

	b.gate.open(nil)
	b.settled("fresh")
	active := read()
	if active["RevisionId"] == *out.RevisionId {
		t.Error("becoming active did not change the revision id")
	}
	active["RevisionId"] = "*"
	want = with(without(want, stateMembers...), map[string]any{"State": "Active", "LastUpdateStatus": "Successful"})
	if diff := cmp.Diff(want, active); diff != "" {
		t.Errorf("when active (-want +got):\n%s", diff)
	}
}

// Every member that can be given is shown again.
func TestCreateFunctionShowsWhatItWasGiven(t *testing.T) {
	b := newBench(t)
	out := b.create("full", func(in *api.CreateFunctionRequest) {
		in.Runtime = new("nodejs22.x")
		in.Description = new("a function")
		in.Timeout, in.MemorySize = new(900), new(10240)
		in.VpcConfig = &api.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1", "sg-2"}}
		in.PackageType = new("Zip")
		in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: new("arn:aws:sqs:us-east-1:123456789012:dlq")}
		in.Environment = &api.Environment{Variables: map[string]string{"A": "1", "B2": ""}}
		in.KMSKeyArn = new("arn:aws:kms:us-east-1:123456789012:key/1")
		in.Code.SourceKMSKeyArn = new("arn:aws:kms:us-east-1:123456789012:key/2")
		in.TracingConfig = &api.TracingConfig{Mode: new("Active")}
		in.Tags = map[string]string{"team": "a", "aws": "no prefix", "flaws:": "nor this"}
		in.Layers = []string{}
		in.FileSystemConfigs = []api.FileSystemConfig{{Arn: new("arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-1"), LocalMountPath: new("/mnt/x")}}
		in.Architectures = []string{"arm64"}
		in.EphemeralStorage = &api.EphemeralStorage{Size: new(10240)}
		in.LoggingConfig = &api.LoggingConfig{LogFormat: new("JSON"), SystemLogLevel: new("WARN"), LogGroup: new("/my/group")}
	})
	got := asJSON(t, out)
	want := map[string]any{
		"Runtime": "nodejs22.x", "Description": "a function", "Timeout": 900.0, "MemorySize": 10240.0,
		"VpcConfig": map[string]any{
			"SubnetIds": []any{"subnet-1"}, "SecurityGroupIds": []any{"sg-1", "sg-2"},
			"VpcId": "", "Ipv6AllowedForDualStack": false,
		},
		"DeadLetterConfig": map[string]any{"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dlq"},
		"Environment":      map[string]any{"Variables": map[string]any{"A": "1", "B2": ""}},
		"KMSKeyArn":        "arn:aws:kms:us-east-1:123456789012:key/1",
		"TracingConfig":    map[string]any{"Mode": "Active"},
		"FileSystemConfigs": []any{map[string]any{
			"Arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-1", "LocalMountPath": "/mnt/x",
		}},
		"Architectures":    []any{"arm64"},
		"EphemeralStorage": map[string]any{"Size": 10240.0},
		"LoggingConfig": map[string]any{
			"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": "/my/group",
		},
	}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	fn, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("full")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"team": "a", "aws": "no prefix", "flaws:": "nor this"}, fn.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if got := api.Value(fn.Code.SourceKMSKeyArn); got != "arn:aws:kms:us-east-1:123456789012:key/2" {
		t.Errorf("SourceKMSKeyArn %q", got)
	}
}

func TestCreateFunctionKeepsEmptyApartFromAbsent(t *testing.T) {
	b := newBench(t)
	b.create("empty", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{}}
		in.VpcConfig = &api.VpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}}
		in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: new("")}
		in.KMSKeyArn = new("")
		in.Tags = map[string]string{}
		in.FileSystemConfigs = []api.FileSystemConfig{}
	})
	status, body := b.send(http.MethodGet, "/2015-03-31/functions/empty", "")
	if status != http.StatusOK || !strings.Contains(body, `"Environment":{"Variables":{}}`) {
		t.Errorf("an empty environment must be shown: %d %s", status, body)
	}
	for _, name := range []string{"VpcConfig", "DeadLetterConfig", "KMSKeyArn", "Tags", "FileSystemConfigs", "Layers", "Concurrency"} {
		if strings.Contains(body, `"`+name+`"`) {
			t.Errorf("%s must be left out: %s", name, body)
		}
	}
}

func TestCreateFunctionWithPublish(t *testing.T) {
	b := newBench(t)
	b.gate.shut()
	out, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "pub", func(in *api.CreateFunctionRequest) {
		in.Publish = new(true)
		in.Description = new("first")
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, out)
	if got["Version"] != "1" || got["FunctionArn"] != arnBase+"pub" || got["State"] != "Pending" || got["LastUpdateStatus"] != nil {
		t.Errorf("answer %v", got)
	}
	b.gate.open(nil)
	latest := b.settled("pub")
	one, err := b.db.Get(t.Context(), key("pub"), "1")
	if err != nil {
		t.Fatal(err)
	}
	if one.RevisionID == latest.RevisionID {
		t.Error("version 1 and $LATEST share a revision id")
	}
	again, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: new("pub")})
	if err != nil {
		t.Fatal(err)
	}
	if *again.Version != "1" || *again.RevisionId != one.RevisionID {
		t.Errorf("publishing again gave version %s, revision %s; want version 1, revision %s", *again.Version, *again.RevisionId, one.RevisionID)
	}
}

func TestCreateFunctionRefuses(t *testing.T) {
	b := newBench(t)
	b.create("there")
	long := strings.Repeat("n", 65)
	const invalid = "InvalidParameterValueException"
	tests := map[string]struct {
		change        func(*api.CreateFunctionRequest)
		code, message string
	}{
		"exists":        {func(in *api.CreateFunctionRequest) { in.FunctionName = new("there") }, "ResourceConflictException", "Function already exist: there"},
		"exists by ARN": {func(in *api.CreateFunctionRequest) { in.FunctionName = new(arnBase + "there") }, "ResourceConflictException", "Function already exist: there"},
		"name too long": {func(in *api.CreateFunctionRequest) { in.FunctionName = &long }, invalid, "1 validation error detected: Value '" + long + "' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		"other region": {func(in *api.CreateFunctionRequest) {
			in.FunctionName = new("arn:aws:lambda:eu-west-1:123456789012:function:x")
		}, "ResourceNotFoundException", "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		"other account":   {func(in *api.CreateFunctionRequest) { in.FunctionName = new("999999999999:function:x") }, "AccessDeniedException", ""},
		"qualified name":  {func(in *api.CreateFunctionRequest) { in.FunctionName = new("x:$LATEST") }, invalid, "A function cannot be created with the name 'x:$LATEST': a new function's name has letters, digits, hyphens and underscores, and no qualifier."},
		"dotted name":     {func(in *api.CreateFunctionRequest) { in.FunctionName = new("x.y") }, invalid, "A function cannot be created with the name 'x.y': a new function's name has letters, digits, hyphens and underscores, and no qualifier."},
		"no handler":      {func(in *api.CreateFunctionRequest) { in.Handler = nil }, invalid, "Runtime and Handler are mandatory parameters for functions created with deployment packages."},
		"no runtime":      {func(in *api.CreateFunctionRequest) { in.Runtime = nil }, invalid, "Runtime and Handler are mandatory parameters for functions created with deployment packages."},
		"retired runtime": {func(in *api.CreateFunctionRequest) { in.Runtime = new("nodejs14.x") }, invalid, "The runtime parameter of nodejs14.x is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."},
		"no code":         {func(in *api.CreateFunctionRequest) { in.Code = &api.FunctionCode{} }, invalid, "Please provide a source for function code."},
		"empty code":      {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = upload(t, nil) }, invalid, "Uploaded file must be a non-empty zip"},
		"no zip":          {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = upload(t, []byte("not a zip")) }, invalid, "Could not unzip uploaded file. Please check your file, then try to upload again."},
		"cut zip": {func(in *api.CreateFunctionRequest) {
			z := zipOf(t, "a", "b")
			in.Code.ZipFile = upload(t, z[:len(z)-5])
		}, invalid, "Could not unzip uploaded file. Please check your file, then try to upload again."},
		"hostile zip":  {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = upload(t, zipOf(t, "../a", "b")) }, invalid, "Could not unzip uploaded file. Please check your file, then try to upload again."},
		"code from S3": {func(in *api.CreateFunctionRequest) { in.Code = &api.FunctionCode{S3Bucket: new("b"), S3Key: new("k")} }, invalid, "Code from Amazon S3 is not supported by this installation. Please provide the deployment package as ZipFile."},
		"two sources":  {func(in *api.CreateFunctionRequest) { in.Code.S3Bucket = new("b") }, invalid, "Please do not provide other FunctionCode parameters when providing a ZipFile."},
		"image":        {func(in *api.CreateFunctionRequest) { in.PackageType = new("Image") }, invalid, "Functions of package type Image are not supported by this installation."},
		"image uri":    {func(in *api.CreateFunctionRequest) { in.Code = &api.FunctionCode{ImageUri: new("x")} }, invalid, "Functions of package type Image are not supported by this installation."},
		"code signing": {func(in *api.CreateFunctionRequest) { in.CodeSigningConfigArn = new("arn:c") }, "CodeSigningConfigNotFoundException", "The code signing configuration cannot be found. Check that the provided configuration is not deleted: arn:c."},
		"tenancy with SnapStart": {func(in *api.CreateFunctionRequest) {
			in.TenancyConfig = &api.TenancyConfig{TenantIsolationMode: new("PER_TENANT")}
			in.SnapStart = &api.SnapStart{ApplyOn: new("PublishedVersions")}
		}, invalid, "SnapStart is not supported for functions with tenant isolation."},
		"publish to":        {func(in *api.CreateFunctionRequest) { in.PublishTo = new("LATEST_PUBLISHED") }, invalid, "PublishTo is not supported: this installation has no managed instances."},
		"too many tags":     {func(in *api.CreateFunctionRequest) { in.Tags = manyTags(51) }, invalid, "Number of tags exceeds resource tag limit."},
		"endless tag":       {func(in *api.CreateFunctionRequest) { in.Tags = map[string]string{"k": strings.Repeat("v", 257)} }, invalid, "The value of a tag must have at most 256 characters."},
		"reserved tag":      {func(in *api.CreateFunctionRequest) { in.Tags = map[string]string{"aws:cloudformation:stack": "s"} }, invalid, "aws: prefixed tag key names are not allowed for external use."},
		"reserved, shouted": {func(in *api.CreateFunctionRequest) { in.Tags = map[string]string{"AWS:": ""} }, invalid, "aws: prefixed tag key names are not allowed for external use."},
		"endless tag key":   {func(in *api.CreateFunctionRequest) { in.Tags = map[string]string{strings.Repeat("k", 129): ""} }, invalid, "The key of a tag must have 1 to 128 characters."},
		"settings as well":  {func(in *api.CreateFunctionRequest) { in.MemorySize = new(10241) }, invalid, "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := createRequest(t, "refused", tt.change)
			_, err := b.ctl.CreateFunction(b.caller(), in)
			wantError(t, err, tt.code, tt.message)
			_, err = b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("refused")})
			wantError(t, err, "ResourceNotFoundException", "Function not found: "+arnBase+"refused")
		})
	}
}

func manyTags(n int) map[string]string {
	tags := make(map[string]string, n)
	for _, k := range strs("tag-%d", n) {
		tags[k] = ""
	}
	return tags
}

func TestUnknownRuntimeNamesThoseThatAreKnown(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"python9.9", "Python3.12", "dotnet9"} {
		_, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "x", func(in *api.CreateFunctionRequest) { in.Runtime = &id }))
		message := api.AsError(err).ErrorMessage()
		before := "Value " + id + " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
		if !strings.HasPrefix(message, before) || !strings.HasSuffix(message, "] or be a valid ARN") ||
			!strings.Contains(message, ", python3.13, ") || strings.Contains(message, "nodejs18.x") {
			t.Errorf("%s: %s", id, message)
		}
	}
	for _, r := range function.Runtimes() {
		b.create(strings.ReplaceAll(r.ID, ".", "-"), func(in *api.CreateFunctionRequest) { in.Runtime = new(r.ID) })
	}
}

// The texts name AWS's limits; small ones make them appear.
func TestCodeLimits(t *testing.T) {
	b := newBench(t, func(cfg *Config) {
		small, err := artifact.Open(artifact.Options{
			Dir: t.TempDir(), CacheDir: cacheDir(t), Limits: artifact.Limits{Zipped: 1000, Unzipped: 2000},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := small.Close(); err != nil {
				t.Error(err)
			}
		})
		cfg.Artifacts = small
	})
	_, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "big", func(in *api.CreateFunctionRequest) {
		in.Code.ZipFile = upload(t, make([]byte, 1001))
	}))
	wantError(t, err, "RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes")
	_, err = b.ctl.CreateFunction(b.caller(), createRequest(t, "big", func(in *api.CreateFunctionRequest) {
		in.Code.ZipFile = upload(t, zipOf(t, "zeros", strings.Repeat("0", 2001)))
	}))
	wantError(t, err, "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes")
}

func TestRoom(t *testing.T) {
	for _, tt := range []struct {
		room room
		more int64
		fits bool
	}{{5, 5, true}, {5, 6, false}, {0, 0, true}, {-5, 0, true}, {-5, -1, true}, {-5, 1, false}} {
		if err := tt.room.check(tt.more); (err == nil) != tt.fits {
			t.Errorf("%d more in a room of %d: %v", tt.more, tt.room, err)
		}
	}
}

func TestCodeStorageLimit(t *testing.T) {
	zip := zipOf(t, "app.py", "x = 1")
	b := newBench(t, func(cfg *Config) { cfg.Limits.TotalCodeSize = int64(2*len(zip) + 1) })
	request := func(name string, publish bool) *api.CreateFunctionRequest {
		return createRequest(t, name, func(in *api.CreateFunctionRequest) {
			in.Code.ZipFile, in.Publish = upload(t, zip), &publish
		})
	}
	if _, err := b.ctl.CreateFunction(b.caller(), request("a", true)); err != nil {
		t.Fatal(err)
	}
	_, err := b.ctl.CreateFunction(b.caller(), request("b", false))
	wantError(t, err, "CodeStorageExceededException", "Code storage limit exceeded.")
	b.settled("a")
	// Nothing new is stored by either of these.
	if _, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: new("a")}); err != nil {
		t.Errorf("publishing what is published: %v", err)
	}
	_, err = b.ctl.UpdateFunctionCode(b.caller(), &api.UpdateFunctionCodeRequest{FunctionName: new("a"), ZipFile: upload(t, zip)})
	if err != nil {
		t.Errorf("replacing the code by as much: %v", err)
	}
}
