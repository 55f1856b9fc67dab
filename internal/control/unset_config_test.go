package control

import "testing"

// TestUnsetConfigs: what no function has here is answered as AWS answers for a
// function that has not got it.
func TestUnsetConfigs(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	b.createAlias("fn", "live", "1")
	const missing = `{"Type":"User","Message":"Function not found: ` + arnBase
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"/2020-06-30/functions/fn/code-signing-config", 200, `{}`},
		{"/2020-06-30/functions/nope/code-signing-config", 404, missing + `nope"}`},
		{"/2021-07-20/functions/fn/runtime-management-config", 200, `{"UpdateRuntimeOn":"Auto","FunctionArn":"` + arnBase + `fn"}`},
		{"/2021-07-20/functions/fn/runtime-management-config?Qualifier=live", 200, `{"UpdateRuntimeOn":"Auto","FunctionArn":"` + arnBase + `fn:live"}`},
		{"/2021-07-20/functions/fn/runtime-management-config?Qualifier=9", 404, missing + `fn:9"}`},
	} {
		if status, body := b.send("GET", tt.path, ""); status != tt.status || body != tt.body {
			t.Errorf("%s: %d %s, want %d %s", tt.path, status, body, tt.status, tt.body)
		}
	}
}
