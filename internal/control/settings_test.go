package control

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

type settings = api.UpdateFunctionConfigurationRequest

func TestSettings(t *testing.T) {
	full := defaultConfig("fn")
	full.Runtime, full.Handler, full.Role = "python3.12", "app.handler", role
	full.Environment = map[string]string{"OLD": "1"}
	full.DeadLetterARN, full.KMSKeyARN = "arn:dlq", "arn:key"
	full.VPC = &function.VPC{SubnetIDs: []string{"s"}, SecurityGroupIDs: []string{"g"}}
	full.FileSystems = []function.FileSystem{{ARN: "arn:fs", LocalMountPath: "/mnt/a"}}
	full.Logging = function.Logging{Format: "JSON", ApplicationLevel: "WARN", SystemLevel: "DEBUG", Group: "/mine"}

	tests := map[string]struct {
		in     settings
		change func(*function.Config)
	}{
		"nothing":           {settings{}, func(*function.Config) {}},
		"texts":             {settings{Handler: new("h"), Description: new("d"), Role: new("r")}, func(c *function.Config) { c.Handler, c.Description, c.Role = "h", "d", "r" }},
		"empty description": {settings{Description: new("")}, func(c *function.Config) { c.Description = "" }},
		"numbers":           {settings{Timeout: new(900), MemorySize: new(10240), EphemeralStorage: &api.EphemeralStorage{Size: new(600)}}, func(c *function.Config) { c.TimeoutSecs, c.MemoryMB, c.TmpMB = 900, 10240, 600 }},
		"runtime": {settings{Runtime: new("provided.al2023")}, func(c *function.Config) {
			c.Runtime, c.RuntimeVersionARN = "provided.al2023", function.RuntimeVersionARN("aws", region, "provided.al2023")
		}},
		"environment replaces":    {settings{Environment: &api.Environment{Variables: map[string]string{"NEW": "2"}}}, func(c *function.Config) { c.Environment = map[string]string{"NEW": "2"} }},
		"empty environment":       {settings{Environment: &api.Environment{Variables: map[string]string{}}}, func(c *function.Config) { c.Environment = map[string]string{} }},
		"environment without any": {settings{Environment: &api.Environment{}}, func(c *function.Config) { c.Environment = map[string]string{} }},
		"no dead letters":         {settings{DeadLetterConfig: &api.DeadLetterConfig{TargetArn: new("")}}, func(c *function.Config) { c.DeadLetterARN = "" }},
		"no key":                  {settings{KMSKeyArn: new("")}, func(c *function.Config) { c.KMSKeyARN = "" }},
		"no VPC":                  {settings{VpcConfig: &api.VpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}}}, func(c *function.Config) { c.VPC = &function.VPC{SubnetIDs: []string{}, SecurityGroupIDs: []string{}} }},
		"other VPC": {settings{VpcConfig: &api.VpcConfig{SubnetIds: []string{"a", "b"}, SecurityGroupIds: []string{"c"}, Ipv6AllowedForDualStack: new(true)}}, func(c *function.Config) {
			c.VPC = &function.VPC{SubnetIDs: []string{"a", "b"}, SecurityGroupIDs: []string{"c"}, IPv6: true}
		}},
		"no file systems": {settings{FileSystemConfigs: []api.FileSystemConfig{}}, func(c *function.Config) { c.FileSystems = nil }},
		"no layers":       {settings{Layers: []string{}}, func(*function.Config) {}},
		"tracing":         {settings{TracingConfig: &api.TracingConfig{Mode: new("Active")}}, func(c *function.Config) { c.TracingMode = "Active" }},
		"snapstart":       {settings{SnapStart: &api.SnapStart{ApplyOn: new("PublishedVersions")}}, func(c *function.Config) { c.SnapStart = "PublishedVersions" }},
		"part of logging": {settings{LoggingConfig: &api.LoggingConfig{ApplicationLogLevel: new("ERROR")}}, func(c *function.Config) { c.Logging.ApplicationLevel = "ERROR" }},
		"log group":       {settings{LoggingConfig: &api.LoggingConfig{LogGroup: new("/other")}}, func(c *function.Config) { c.Logging.Group = "/other" }},
		"back to text": {settings{LoggingConfig: &api.LoggingConfig{LogFormat: new("Text")}}, func(c *function.Config) {
			c.Logging = function.Logging{Format: "Text", Group: "/mine"}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := full
			tt.change(&want)
			got, err := withSettings(full, key("fn"), &tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSettingsShareNoMemory(t *testing.T) {
	before := defaultConfig("fn")
	before.Environment = map[string]string{"A": "1"}
	in := &settings{Environment: &api.Environment{Variables: map[string]string{"B": "2"}}}
	after, err := withSettings(before, key("fn"), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Environment.Variables["B"] = "changed"
	if after.Environment["B"] != "2" || before.Environment["A"] != "1" {
		t.Errorf("before %v, after %v", before.Environment, after.Environment)
	}
}

func TestLoggingDefaults(t *testing.T) {
	got, err := withSettings(defaultConfig("fn"), key("fn"), &settings{LoggingConfig: &api.LoggingConfig{LogFormat: new("JSON")}})
	if err != nil {
		t.Fatal(err)
	}
	want := function.Logging{Format: "JSON", ApplicationLevel: "INFO", SystemLevel: "INFO", Group: "/aws/lambda/fn"}
	if diff := cmp.Diff(want, got.Logging); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSettingsRefused(t *testing.T) {
	layer := func(region string) string { return "arn:aws:lambda:" + region + ":123456789012:layer:l:1" }
	const reserved = "Lambda was unable to configure your environment variables because the environment variables you have provided " +
		"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "
	const invalid = "InvalidParameterValueException"
	tests := map[string]struct {
		in            settings
		code, message string
	}{
		"timeout":            {settings{Timeout: new(901)}, "ValidationException", "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		"memory":             {settings{MemorySize: new(10241)}, invalid, "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240"},
		"retired runtime":    {settings{Runtime: new("go1.x")}, invalid, "The runtime parameter of go1.x is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."},
		"reserved key":       {environment("AWS_REGION", "x"), invalid, reserved + "AWS_REGION"},
		"reserved keys":      {environment("LAMBDA_TASK_ROOT", "x", "FINE", "y", "AWS_ACCESS_KEY_ID", "z"), invalid, reserved + "AWS_ACCESS_KEY_ID, LAMBDA_TASK_ROOT"},
		"null character":     {environment("A", "x\x00y"), invalid, "The value of the environment variable A contains a null character."},
		"layer of AWS's own": {settings{Layers: []string{"arn:aws:lambda:::awslayer:l"}}, invalid, "Layer version arn:aws:lambda:::awslayer:l does not exist."},
		"layer twice": {settings{Layers: []string{layer("us-east-1"), "arn:aws:lambda:us-east-1:123456789012:layer:l:2"}}, invalid,
			"Two different versions of the same layer are not allowed to be referenced in the same function. " +
				layer("us-east-1") + " and arn:aws:lambda:us-east-1:123456789012:layer:l:2 are versions of the same layer."},
		"layer of another region": {settings{Layers: []string{layer("eu-west-1")}}, invalid, "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."},
		"too many layers":         {settings{Layers: []string{"a", "b", "c", "d", "e", "f"}}, invalid, "Cannot reference more than 5 layers."},
		"half a VPC":              {settings{VpcConfig: &api.VpcConfig{SubnetIds: []string{"s"}}}, invalid, "SubnetIds and SecurityIds must coexist or be both empty list."},
		"level of text":           {settings{LoggingConfig: &api.LoggingConfig{ApplicationLogLevel: new("INFO")}}, invalid, "ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON."},
		"snapstart":               {settings{SnapStart: &api.SnapStart{ApplyOn: new("PublishedVersions")}, Runtime: new("nodejs22.x")}, invalid, "nodejs22.x is not supported for SnapStart enabled functions."},
		"image":                   {settings{ImageConfig: &api.ImageConfig{Command: []string{"x"}}}, invalid, "ImageConfig is not supported for functions of package type Zip."},
		"capacity":                {settings{CapacityProviderConfig: &api.CapacityProviderConfig{}}, invalid, "CapacityProviderConfig needs the ARN of a capacity provider."},
		"durable":                 {settings{DurableConfig: &api.DurableConfig{}}, invalid, "DurableConfig is not supported: this installation does not run durable functions."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := withSettings(defaultConfig("fn"), key("fn"), &tt.in)
			wantError(t, err, tt.code, tt.message)
		})
	}
}

// A runtime that is changed must support the SnapStart that was set before.
func TestSnapStartOutlivesRuntime(t *testing.T) {
	cfg := defaultConfig("fn")
	cfg.Runtime, cfg.SnapStart = "python3.9", "PublishedVersions"
	if _, err := withSettings(cfg, key("fn"), &settings{Description: new("x")}); err != nil {
		t.Errorf("an unrelated update: %v", err)
	}
	_, err := withSettings(cfg, key("fn"), &settings{Runtime: new("ruby3.4")})
	wantError(t, err, "InvalidParameterValueException", "ruby3.4 is not supported for SnapStart enabled functions.")
}

func TestEnvironmentLimit(t *testing.T) {
	// {"K":"..."} with 4096 bytes in all, then one more.
	fits := strings.Repeat("<", 4096-len(`{"K":""}`))
	in := environment("K", fits)
	if _, err := withSettings(defaultConfig("fn"), key("fn"), &in); err != nil {
		t.Errorf("4096 bytes: %v", err)
	}
	in = environment("K", fits+"<")
	_, err := withSettings(defaultConfig("fn"), key("fn"), &in)
	wantError(t, err, "InvalidParameterValueException", "Lambda was unable to configure your environment variables because the environment "+
		`variables you have provided exceeded the 4KB limit. String measured: {"K":"`+fits+`<"}`)
}

func TestReservedVariables(t *testing.T) {
	for _, name := range []string{
		"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
		"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
	} {
		if !isReserved(name, "python3.12") {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, name := range []string{"PATH", "TZ", "LANG", "AWS_LAMBDA_EXEC_WRAPPER", "NODE_PATH", "AWS_PROFILE", "AWS_SECRET_KEY", "AWS_ENDPOINT_URL"} {
		if isReserved(name, "python3.12") {
			t.Errorf("%s is reserved", name)
		}
	}
	if !isReserved("AWS_SECRET_KEY", "java11") {
		t.Error("AWS_SECRET_KEY is not reserved for java11")
	}
}

// environment is an update of the variables only.
func environment(pairs ...string) settings {
	variables := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		variables[pairs[i]] = pairs[i+1]
	}
	return settings{Environment: &api.Environment{Variables: variables}}
}
