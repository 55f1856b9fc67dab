package trace

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	form := regexp.MustCompile(`^Root=1-5f84c7a2-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$`)
	a, b := New(time.Unix(0x5f84c7a2, 0)), New(time.Unix(0x5f84c7a2, 0))
	if !form.MatchString(a) || a == b {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestFromClient(t *testing.T) {
	good := "Root=1-5f84c7a2-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=1;Lineage=25:3"
	if got := FromClient(good); got != good {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "x", "Root=1\r\nX: y", "Root=" + strings.Repeat("a", 600)} {
		if got := FromClient(bad); got != "" {
			t.Errorf("FromClient(%.20q) = %q, want nothing", bad, got)
		}
	}
}
