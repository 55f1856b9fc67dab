package api

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

// decodeRequest routes and decodes a request as the gateway does.
func decodeRequest(t *testing.T, method, target, body string) (any, error) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	op, params, err := NewRouter(RouterConfig{SpoolDir: t.TempDir()}).Lookup(method, r.URL.EscapedPath(), r.URL.RawQuery)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return op.Decode(r, params, BytesBody([]byte(body)))
}

const (
	readPattern  = `Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
	writePattern = `Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`
	qualPattern  = `Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`
)

func fault(value, path, constraint string) string {
	return "Value '" + value + "' at '" + path + "' failed to satisfy constraint: " + constraint
}

func faults(n string, list ...string) string {
	noun := " validation errors detected: "
	if n == "1" {
		noun = " validation error detected: "
	}
	return n + noun + strings.Join(list, "; ")
}

// The rows of "Name checks as recorded" that are for validation to find; the
// others must pass it.
func TestFunctionNames(t *testing.T) {
	long := strings.Repeat("q", 129)
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:my-function"
	badNames := []string{
		"*", "my-function!", "12345:function:my-function", "arn:aws:lambda:mars:123456789012:function:my-function",
		"arn:aws:lambda::123456789012:function:my-function", "arn:aws:lambda:us-east-1::function:my-function",
		"arn:aws:ec2:us-east-1:123456789012:instance:i-1", arn + ":1:2", arn + ":$LATES",
	}
	goodNames := []string{
		"my-function", "my-function:1", "my-function:alias", "123456789012:function:my-function", "function:my-function",
		arn, arn + ":$LATEST", arn + ":1", strings.Repeat("n", 65), "arn:aws:lambda:us-east-1:123456789012:function",
		"arn:aws:lambda:eusc-de-east-1:123456789012:function:f", "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
	}
	escape := func(s string) string { return strings.NewReplacer(":", "%3A", "$", "%24", "!", "%21").Replace(s) }
	ops := []struct {
		name, method, suffix, pattern, max string
	}{
		{"GetFunction", "GET", "", readPattern, "170"},
		{"Invoke", "POST", "/invocations", readPattern, "170"},
		{"DeleteFunction", "DELETE", "", readPattern, "140"},
	}
	for _, op := range ops {
		check := func(name, qualifier, want string) {
			t.Helper()
			target := "/2015-03-31/functions/" + escape(name) + op.suffix
			if qualifier != "" {
				target += "?Qualifier=" + escape(qualifier)
			}
			_, err := decodeRequest(t, op.method, target, "")
			wantValidation(t, op.name+" "+name+" "+qualifier, err, want)
		}
		for _, name := range badNames {
			check(name, "", faults("1", fault(name, "functionName", op.pattern)))
		}
		for _, name := range goodNames {
			check(name, "", "")
		}
		check(arn+":$LATEST.PUBLISHED", "", "")
		check("f", "$latest", "")
		check("f", "alias", "")
		check(arn+":$LATEST", "1", "") // for the operation: derived qualifier
		check("f", "invalid!", faults("1", fault("invalid!", "qualifier", qualPattern)))
		check("f", long, faults("1", fault(long, "qualifier", "Member must have length less than or equal to 128")))
		check("*", "invalid!", faults("2", fault("invalid!", "qualifier", qualPattern), fault("*", "functionName", op.pattern)))
		tooLong := strings.Repeat("n", 171)
		check(tooLong, "", faults("1", fault(tooLong, "functionName", "Member must have length less than or equal to "+op.max)))
	}
	create := func(name, want string) {
		t.Helper()
		_, err := decodeRequest(t, "POST", "/2015-03-31/functions",
			`{"FunctionName":"`+name+`","Role":"arn:aws:iam::123456789012:role/r","Code":{"ZipFile":""}}`)
		wantValidation(t, "CreateFunction "+name, err, want)
	}
	for _, name := range append(badNames, "my-function:invalid!", arn+":$latest!", "name.with.dot", "f:$LATEST.PUBLISHED") {
		create(name, faults("1", fault(name, "functionName", writePattern)))
	}
	for _, name := range goodNames {
		create(name, "")
	}
	create("f:"+long+strings.Repeat("q", 10), faults("1",
		fault("f:"+long+strings.Repeat("q", 10), "functionName", "Member must have length less than or equal to 140")))
	both := strings.Repeat("!", 141)
	create(both, faults("2", fault(both, "functionName", "Member must have length less than or equal to 140"),
		fault(both, "functionName", writePattern)))
}

// wantValidation compares a ValidationException's text; empty means success.
func wantValidation(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	var v *ValidationException
	if !errors.As(err, &v) {
		t.Errorf("%s: %v, want a ValidationException", what, err)
		return
	}
	if v.Message != want {
		t.Errorf("%s:\n got %s\nwant %s", what, v.Message, want)
	}
}

func TestConstraints(t *testing.T) {
	const fn = `"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r","Code":{}`
	create := func(more string) [3]string { return [3]string{"POST", "/2015-03-31/functions", "{" + fn + more + "}"} }
	layerRule := `[Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, ` +
		`Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), ` +
		`Member must not be null]`
	for _, tc := range []struct {
		name string
		req  [3]string // method, target, body
		want string
	}{
		{"all required", [3]string{"POST", "/2015-03-31/functions", ""}, "3 validation errors detected: " +
			"Value null at 'functionName' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'role' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'code' failed to satisfy constraint: Member must not be null"},
		{"null is absent", create(`,"Timeout":null,"Layers":null,"Environment":null`), ""},
		{"wrong case is another member", create(`,"timeout":0`), ""},
		{"unknown members", create(`,"Surprise":{"a":[1,2,{"b":null}]}`), ""},
		{"timeout 0", create(`,"Timeout":0`), faults("1", fault("0", "timeout", "Member must have value greater than or equal to 1"))},
		{"memory", create(`,"MemorySize":32769`), faults("1", fault("32769", "memorySize", "Member must have value less than or equal to 32768"))},
		{"package type", create(`,"PackageType":"Tar"`), faults("1", fault("Tar", "packageType", "Member must satisfy enum value set: [Zip, Image]"))},
		{"architectures", create(`,"Architectures":["mips"]`), faults("1", fault("[mips]", "architectures",
			"Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"))},
		{"two architectures", create(`,"Architectures":["arm64","x86_64"]`), faults("1", fault("[arm64, x86_64]", "architectures",
			"Member must have length less than or equal to 1"))},
		{"no architectures", create(`,"Architectures":[]`), faults("1", fault("[]", "architectures",
			"Member must have length greater than or equal to 1"))},
		{"snap start", create(`,"SnapStart":{"ApplyOn":"All"}`), faults("1", fault("All", "snapStart.applyOn",
			"Member must satisfy enum value set: [PublishedVersions, None]"))},
		{"subnets", create(`,"VpcConfig":{"SubnetIds":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]}`),
			faults("1", fault("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]", "vpcConfig.subnetIds",
				"Member must have length less than or equal to 16"))},
		{"layers", create(`,"Layers":["x"]`), faults("1", fault("[x]", "layers", "Member must satisfy constraint: "+layerRule))},
		{"kms key", create(`,"KMSKeyArn":"x"`), faults("1", fault("x", "kMSKeyArn",
			`Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()`))},
		{"empty kms key", create(`,"KMSKeyArn":""`), ""},
		// The values may be secrets, and the service does not print them.
		{"variables", create(`,"Environment":{"Variables":{"A-B":"secret"}}`), "1 validation error detected: " +
			"Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: " +
			"[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"},
		{"file systems", create(`,"FileSystemConfigs":[{"Arn":"arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"}]`),
			"1 validation error detected: Value null at 'fileSystemConfigs.1.member.localMountPath' failed to satisfy constraint: Member must not be null"},
		{"handler", create(`,"Handler":"a b"`), faults("1", fault("a b", "handler", `Member must satisfy regular expression pattern: [^\s]+`))},
		{"runtime is for the operation", create(`,"Runtime":"cobol"`), ""},
		{"bucket", [3]string{"PUT", "/2015-03-31/functions/f/code", `{"S3Bucket":"dot."}`}, faults("1", fault("dot.", "s3Bucket",
			`Member must satisfy regular expression pattern: [0-9A-Za-z\.\-_]*(?<!\.)`))},
		{"length in UTF-16", create(`,"Description":"` + strings.Repeat("😀", 128) + `"`), ""},
		{"length in UTF-16, over", create(`,"Description":"` + strings.Repeat("😀", 128) + `x"`), faults("1", fault(
			strings.Repeat("😀", 128)+"x", "description", "Member must have length less than or equal to 256"))},
		{"alias name", [3]string{"POST", "/2015-03-31/functions/f/aliases", `{"Name":"123","FunctionVersion":"1"}`}, faults("1",
			fault("123", "name", `Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)`))},
		{"weights", [3]string{"POST", "/2015-03-31/functions/f/aliases", `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":1.5}}}`},
			faults("1", fault("{2=1.5}", "routingConfig.additionalVersionWeights",
				"Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0]"))},
		{"weight keys", [3]string{"POST", "/2015-03-31/functions/f/aliases", `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"x":0.5}}}`},
			faults("1", fault("{x=0.5}", "routingConfig.additionalVersionWeights",
				"Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]"))},
		{"destination", [3]string{"PUT", "/2019-09-25/functions/f/event-invoke-config", `{"DestinationConfig":{"OnFailure":{"Destination":"x"}}}`},
			faults("1", fault("x", "destinationConfig.onFailure.destination",
				`Member must satisfy regular expression pattern: $|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`))},
		{"empty destination", [3]string{"PUT", "/2019-09-25/functions/f/event-invoke-config", `{"DestinationConfig":{"OnFailure":{"Destination":""}}}`}, ""},
		{"invoke mode", [3]string{"POST", "/2021-10-31/functions/f/url", `{"AuthType":"NONE","InvokeMode":"x"}`},
			faults("1", fault("x", "invokeMode", "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]"))},
		{"URL qualifier", [3]string{"GET", "/2021-10-31/functions/f/url?Qualifier=%24LATEST", ""},
			faults("1", fault("$LATEST", "qualifier", `Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`))},
		{"URL qualifier, a number", [3]string{"GET", "/2021-10-31/functions/f/url?Qualifier=12", ""},
			faults("1", fault("12", "qualifier", `Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`))},
		{"starting position", [3]string{"POST", "/2015-03-31/event-source-mappings", `{"FunctionName":"f","StartingPosition":"x"}`},
			faults("1", fault("x", "startingPosition", "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"))},
		{"recursion", [3]string{"PUT", "/2024-08-31/functions/f/recursion-config", `{"RecursiveLoop":"x"}`},
			faults("1", fault("x", "recursiveLoop", "Member must satisfy enum value set: [Terminate, Allow]"))},
		{"no tag keys", [3]string{"DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af", ""},
			"1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"},
		{"max items", [3]string{"GET", "/2015-03-31/functions?MaxItems=0", ""}, faults("1", fault("0", "maxItems", "Member must have value greater than or equal to 1"))},
		{"list of versions", [3]string{"GET", "/2015-03-31/functions?FunctionVersion=some", ""}, faults("1", fault("some", "functionVersion", "Member must satisfy enum value set: [ALL]"))},
		{"endpoints", [3]string{"POST", "/2015-03-31/event-source-mappings", `{"FunctionName":"f","SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["no port"]}}}`},
			faults("1", fault("{KAFKA_BOOTSTRAP_SERVERS=[no port]}", "selfManagedEventSource.endpoints",
				`Map value must satisfy constraint: [Member must have length less than or equal to 10, Member must have length greater than or equal to 1, Member must satisfy constraint: [Member must have length less than or equal to 300, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: (([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9]):[0-9]{1,5}, Member must not be null]]`))},
		{"durable result is not printed", [3]string{"POST", "/2025-12-01/durable-execution-callbacks/abc/succeed", strings.Repeat("x", 262145)},
			"1 validation error detected: Value at 'result' failed to satisfy constraint: Member must have length less than or equal to 262144"},
	} {
		_, err := decodeRequest(t, tc.req[0], tc.req[1], tc.req[2])
		wantValidation(t, tc.name, err, tc.want)
	}
}

func TestManyFaultsAreBounded(t *testing.T) {
	body := `{"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r","Code":{},"FileSystemConfigs":[` +
		strings.Repeat("{},", 50_000) + `{}]}`
	_, err := decodeRequest(t, "POST", "/2015-03-31/functions", body)
	var v *ValidationException
	if !errors.As(err, &v) {
		t.Fatal(err)
	}
	if n := strings.Count(v.Message, "failed to satisfy"); n < 50 || n > maxReported+1 {
		t.Errorf("%d faults are listed", n)
	}
}

// Patterns compile on first use, and one that does not would end a request in
// a panic: a newer model may bring look-around that matcher does not know.
func TestAllPatternsCompile(t *testing.T) {
	for name, r := range allRules() {
		if r.pattern == nil {
			continue
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: %v", name, p)
				}
			}()
			r.pattern.match("x")
		}()
	}
}

func TestPatterns(t *testing.T) {
	for _, tc := range []struct {
		r         *rule
		good, bad string
	}{
		{&ruleAlias, "a1", "11"},
		{&ruleCollectionName, "systems", "system.users"},
		{&ruleCollectionName, "_x y", "a$b"},
		{&ruleS3Bucket, "a.b", "a."},
		{&ruleDurableExecutionArn, "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/a/b", "x"},
		{&ruleFileSystemArn, "arn:aws:s3files:us-east-1:1:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0", "x"},
		{&ruleRoleArn, "arn:aws:iam::123456789012:role/a/b", "role"},
		{&ruleTenantId, "a b@c", "a#b"},
		{&ruleQualifier, "$LATEST", "a.b"},
	} {
		if match := tc.r.pattern.match; !match(tc.good) || match(tc.bad) {
			t.Errorf("%s: %q %v, %q %v", tc.r.pattern.text, tc.good, match(tc.good), tc.bad, match(tc.bad))
		}
	}
}
