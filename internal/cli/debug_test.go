package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/pack"
)

func TestUnderItsName(t *testing.T) {
	const script = "#!/bin/sh\ncd \"$LAMBDA_TASK_ROOT\" && exec './hello'\n"
	got := underItsName([]pack.File{{Name: "bootstrap", Path: "/built", Size: 9, Executable: true}, {Name: "extra", Path: "/extra"}}, "hello")
	want := []pack.File{
		{Name: "bootstrap", Data: []byte(script), Size: int64(len(script)), Executable: true},
		{Name: "extra", Path: "/extra"},
		{Name: "hello", Path: "/built", Size: 9, Executable: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the package (-want +got):\n%s", diff)
	}
}
