package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// writeEnv makes this program write records until it is killed.
const writeEnv = "LAMB_TEST_WRITE_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(writeEnv); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForever makes function after function, publishes a version of each,
// changes $LATEST, and says "name number revision" once that is committed.
func writeForever(path string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		return err
	}
	first := 0
	if err := db.Each(ctx, func(*function.Version) error { first++; return nil }); err != nil {
		return err
	}
	for i := first; ; i++ {
		name := fmt.Sprintf("f%06d", i)
		var number int
		err := db.Update(ctx, func(tx *store.Tx) error {
			if err := tx.Insert(version(name, function.Latest, "created")); err != nil {
				return err
			}
			var err error
			if number, err = tx.NextVersion(keyOf(name)); err != nil {
				return err
			}
			return tx.Insert(version(name, strconv.Itoa(number), "published"))
		})
		if err != nil {
			return err
		}
		err = db.Update(ctx, func(tx *store.Tx) error {
			return tx.Replace(version(name, function.Latest, "changed"), "created")
		})
		if err != nil {
			return err
		}
		fmt.Println(name, number, "changed")
	}
}

// TestKilledWriterLosesNothing kills a child over and over while it writes;
// what it acknowledged must be there, and what it did not must be there whole
// or not at all.
func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	acknowledged := map[string]bool{}
	for round := range 6 {
		for _, line := range killedAfter(t, path, 5+round*3) {
			acknowledged[line] = true
		}
		checkRecords(t, path, acknowledged)
	}
}

// killedAfter runs the child, kills it after so many lines, and returns all
// that it said.
func killedAfter(t *testing.T, path string, lines int) (said []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writeEnv+"="+path)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	for {
		line, err := out.ReadString('\n')
		if errors.Is(err, io.EOF) { // a part of a line acknowledges nothing
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if said = append(said, strings.TrimSpace(line)); len(said) == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(said) < lines {
		t.Fatalf("the child ended by itself (%v) after saying %q", err, said)
	}
	return said
}

func checkRecords(t *testing.T, path string, acknowledged map[string]bool) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	there := map[string]bool{}
	latest, err := db.ListFunctions(t.Context(), scope, "", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range latest {
		// Made in one transaction, so both or none.
		if _, err := db.Get(t.Context(), v.Key, "1"); err != nil {
			t.Errorf("%s is there without its version: %v", v.Key.Name, err)
		}
		there[v.Key.Name+" 1 "+v.RevisionID] = true
	}
	for line := range acknowledged {
		if !there[line] {
			t.Errorf("acknowledged and lost: %s", line)
		}
	}
	if unknown := len(there) - len(acknowledged); unknown > 6 {
		t.Errorf("%d records that were never acknowledged", unknown)
	}
}

// TestOnlyOneWinsEachRevision has writers change one record, each from the
// revision that it read. Two handles stand for two nodes: the second does not
// share the first one's lock.
func TestOnlyOneWinsEachRevision(t *testing.T) {
	const writers, wins = 8, 6
	path := filepath.Join(t.TempDir(), "state.db")
	handles := []*store.DB{open(t, path), open(t, path)}
	insert(t, handles[0], version("f", function.Latest, "0"))
	ctx := t.Context()

	type outcome struct {
		won  []string // "from to"
		lost int
		err  error
	}
	outcomes := make(chan outcome, writers)
	for w := range writers {
		go func() {
			var o outcome
			db := handles[w%len(handles)]
			for o.err == nil && len(o.won) < wins {
				var v *function.Version
				if v, o.err = db.Get(ctx, keyOf("f"), function.Latest); o.err != nil {
					break
				}
				to := fmt.Sprintf("w%d-%d", w, len(o.won))
				err := db.Update(ctx, func(tx *store.Tx) error {
					return tx.Replace(version("f", function.Latest, to), v.RevisionID)
				})
				switch {
				case err == nil:
					o.won = append(o.won, v.RevisionID+" "+to)
				case errors.Is(err, store.ErrConflict) && o.lost < 10*writers*wins:
					o.lost++
				default:
					o.err = err
				}
			}
			outcomes <- o
		}()
	}
	next := map[string]string{}
	lost := 0
	for range writers {
		o := <-outcomes
		if o.err != nil {
			t.Fatal(o.err)
		}
		lost += o.lost
		for _, step := range o.won {
			from, to, _ := strings.Cut(step, " ")
			if other, twice := next[from]; twice {
				t.Errorf("revision %s was replaced by %s and by %s", from, other, to)
			}
			next[from] = to
		}
	}
	// The wins are one chain from the first revision to the one stored now.
	at, steps := "0", 0
	for next[at] != "" {
		at = next[at]
		steps++
	}
	v, err := handles[0].Get(ctx, keyOf("f"), function.Latest)
	if err != nil || v.RevisionID != at || steps != writers*wins {
		t.Errorf("%d steps to %s, stored %v, %v; want %d steps", steps, at, v, err, writers*wins)
	}
	t.Logf("%d wins, %d conflicts", steps, lost)
}

// TestNumbersAreTakenOnce: the same for version numbers, and inserts.
func TestNumbersAreTakenOnce(t *testing.T) {
	const writers, each = 4, 10
	path := filepath.Join(t.TempDir(), "state.db")
	handles := []*store.DB{open(t, path), open(t, path)}
	insert(t, handles[0], version("f", function.Latest, "0"))
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			var failed error
			for range each {
				failed = errors.Join(failed, handles[w%len(handles)].Update(t.Context(), func(tx *store.Tx) error {
					n, err := tx.NextVersion(keyOf("f"))
					if err != nil {
						return err
					}
					return tx.Insert(version("f", strconv.Itoa(n), "r"))
				}))
			}
			errs <- failed
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	all, err := handles[1].ListVersions(t.Context(), keyOf("f"), store.Cursor{}, 1000)
	if err != nil || len(all) != 1+writers*each || all[len(all)-1].Version != strconv.Itoa(writers*each) {
		t.Errorf("%d versions, %v; want $LATEST and 1 to %d", len(all), err, writers*each)
	}
}

// TestReadThenWriteInOneTransaction: nobody comes between, so there is neither
// a conflict nor an error about a lock.
func TestReadThenWriteInOneTransaction(t *testing.T) {
	const writers, each = 4, 10
	path := filepath.Join(t.TempDir(), "state.db")
	handles := []*store.DB{open(t, path), open(t, path)}
	insert(t, handles[0], version("f", function.Latest, "0"))
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			var failed error
			for range each {
				failed = errors.Join(failed, handles[w%len(handles)].Update(t.Context(), func(tx *store.Tx) error {
					v, err := tx.Get(keyOf("f"), function.Latest)
					if err != nil {
						return err
					}
					n, err := strconv.Atoi(v.RevisionID)
					if err != nil {
						return err
					}
					return tx.Replace(version("f", function.Latest, strconv.Itoa(n+1)), v.RevisionID)
				}))
			}
			errs <- failed
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	v, err := handles[0].Get(t.Context(), keyOf("f"), function.Latest)
	if err != nil || v.RevisionID != strconv.Itoa(writers*each) {
		t.Errorf("counted to %v, %v; want %d", v, err, writers*each)
	}
}

// TestReadersDoNotWaitForAWriter: a read inside a transaction of another
// connection gives what was before.
func TestReadersDoNotWaitForAWriter(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "state.db"))
	insert(t, db, version("f", function.Latest, "r1"))
	update(t, db, func(tx *store.Tx) error {
		if err := tx.Replace(version("f", function.Latest, "r2"), "r1"); err != nil {
			return err
		}
		v, err := db.Get(t.Context(), keyOf("f"), function.Latest)
		if err != nil || v.RevisionID != "r1" {
			t.Errorf("a reader beside the writer sees %v, %v; want r1", v, err)
		}
		if v, err := tx.Get(keyOf("f"), function.Latest); err != nil || v.RevisionID != "r2" {
			t.Errorf("the writer sees %v, %v; want r2", v, err)
		}
		return nil
	})
}

func TestFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "state ?#%.db")) // a path may have anything in it
	insert(t, db, version("f", function.Latest, "r1"))
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = info.Mode().String()
	}
	want := map[string]string{
		"state ?#%.db": "-rw-------", "state ?#%.db-wal": "-rw-------", "state ?#%.db-shm": "-rw-------",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
