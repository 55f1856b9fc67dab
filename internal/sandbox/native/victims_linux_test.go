package native

import (
	"testing"
	"time"
)

// TestVictims: the memory limit is the reason for an end that comes with the
// kernel's count, not for one that comes long after somebody else's.
func TestVictims(t *testing.T) {
	start := time.Unix(0, 0)
	late := start.Add(dying + 1)
	type step struct {
		at    time.Time
		count int64
		ends  bool // otherwise it is only looked at
		want  bool
	}
	for name, steps := range map[string][]step{
		"nobody":                         {{start, 0, true, false}},
		"itself":                         {{start, 1, true, true}, {start, 1, true, false}},
		"two at once":                    {{start, 2, true, true}, {start, 2, true, true}, {start, 2, true, false}},
		"a child before":                 {{start, 1, false, false}, {late, 1, true, false}},
		"a child before, and then":       {{start, 1, false, false}, {late, 2, true, true}, {late, 2, true, false}},
		"looked at while it ends":        {{start, 1, false, false}, {start.Add(dying), 1, true, true}},
		"looked at twice":                {{start, 1, false, false}, {start.Add(dying), 1, false, false}, {late, 1, true, false}},
		"of two children one was seen":   {{start, 1, false, false}, {start.Add(dying), 2, false, false}, {late, 2, true, true}},
		"no group":                       {{start, -1, false, false}, {late, -1, true, false}},
		"an orphan, and a child unheard": {{start, 2, true, true}, {start, 2, false, false}, {late, 2, true, false}},
	} {
		var v victims
		for i, s := range steps {
			if !s.ends {
				v.notice(s.count, s.at)
			} else if got := v.claim(s.count, s.at); got != s.want {
				t.Errorf("%s: step %d: %v", name, i, got)
			}
		}
	}
	var v victims
	v.settle(3)
	if v.claim(3, start) || !v.claim(4, start) {
		t.Errorf("after all had ended: %+v", v)
	}
}
