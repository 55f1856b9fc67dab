package native

import "time"

// victims tells for whose end the memory limit was the reason. The kernel only
// counts the processes that it ends: of those that a function has started
// itself, and has waited for, nobody else hears.
type victims struct {
	known int64 // of the count: told of, or too old for what ends now
	seen  int64 // the count as it was last looked at
	since time.Time
}

// dying is what a process that the kernel has counted takes at most to end: its
// memory is taken down first, with what CPU the function has.
const dying = time.Second

// notice looks at the count.
func (v *victims) notice(count int64, now time.Time) {
	v.age(now)
	if count > v.seen {
		v.seen, v.since = count, now
	}
}

// claim tells whether a process that has ended by SIGKILL was one of the count.
// The kernel counts before it kills.
func (v *victims) claim(count int64, now time.Time) bool {
	v.age(now)
	if count <= v.known {
		return false
	}
	v.known++
	return true
}

// settle says that all who were counted have ended.
func (v *victims) settle(count int64) { v.known, v.seen = max(v.known, count), max(v.seen, count) }

// age forgets whom somebody would have heard of by now.
func (v *victims) age(now time.Time) {
	if v.seen > v.known && now.Sub(v.since) > dying {
		v.known = v.seen
	}
}
