package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

var scope = function.Scope{Partition: "aws", Account: "000000000000", Region: "us-east-1"}

func keyOf(name string) function.Key {
	return function.Key{Partition: scope.Partition, Account: scope.Account, Region: scope.Region, Name: name}
}

// version makes a record that differs from the zero value in what every
// record has.
func version(name, number, revision string) *function.Version {
	return &function.Version{
		Key: keyOf(name), Version: number, RevisionID: revision,
		LastModified: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC),
		State:        function.StateActive, LastUpdate: function.UpdateSuccessful,
		Code:   function.Code{SHA256: strings.Repeat("a", 64), Size: 100, Unzipped: 300},
		Config: function.Config{Runtime: "python3.12", Handler: "app.handler", Architectures: []string{"x86_64"}},
	}
}

// fullVersion has a value in every field.
func fullVersion() *function.Version {
	v := version("full", function.Latest, "r1")
	v.StateReason = function.Reason{Text: "The function is being created.", Code: "Creating"}
	v.LastUpdateReason = function.Reason{Text: "text", Code: "code"}
	v.Config = function.Config{
		Description: "d <&> \u2028 \x00", Runtime: "python3.12", Handler: "app.handler", Role: "arn:aws:iam::0:role/r",
		TimeoutSecs: 3, MemoryMB: 128, TmpMB: 512, PackageType: "Zip", Architectures: []string{"arm64"},
		Environment: map[string]string{"A": "1", "EMPTY": ""},
		Layers:      []function.Layer{{ARN: "arn:layer", SHA256: "ff", Size: 9, Unzipped: 12}},
		TracingMode: "Active", SnapStart: "None",
		Logging:       function.Logging{Format: "JSON", ApplicationLevel: "INFO", SystemLevel: "WARN", Group: "/aws/lambda/full"},
		DeadLetterARN: "arn:sqs", KMSKeyARN: "arn:kms",
		VPC:            &function.VPC{SubnetIDs: []string{"s"}, SecurityGroupIDs: []string{"g"}, VPCID: "v", IPv6: true},
		FileSystems:    []function.FileSystem{{ARN: "arn:fs", LocalMountPath: "/mnt/x"}},
		ImageConfig:    &function.ImageConfig{EntryPoint: []string{"e"}, Command: []string{"c"}, WorkingDirectory: "/w"},
		MaxConcurrency: 4, Capacity: &function.Capacity{ProviderARN: "arn:capacity", MaxConcurrency: 4, MemoryGiBPerVCPU: 2},
		TenantIsolation: "PER_TENANT", RuntimeVersionARN: "arn:runtime", SourceKMSKeyARN: "arn:kms:2",
	}
	before := v.Config
	before.Description = "as it was"
	v.Config.Kept = function.Kept{
		Serving:           &function.Content{Code: function.Code{SHA256: "bb", Size: 1, Unzipped: 2}, Config: before},
		Tags:              map[string]string{"team": "a"},
		SourceDescription: "source",
	}
	return v
}

// TestFullVersionIsFull: a field that is new in function.Version must be part
// of the test that records come back as they were.
func TestFullVersionIsFull(t *testing.T) {
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		switch {
		case path == "Version.Config.Kept.Serving.Config.Kept": // never nested
		case v.IsZero():
			t.Errorf("%s is zero", path)
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
			for i := range v.NumField() {
				check(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	check("Version", reflect.ValueOf(fullVersion()))
}

// open opens a store in a file, or in memory when path is empty.
func open(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// eachKind runs the test on a store in a file and on one in memory.
func eachKind(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Run("file", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "state.db"))) })
	t.Run("memory", func(t *testing.T) { test(t, open(t, "")) })
}

func update(t testing.TB, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func insert(t testing.TB, db *store.DB, versions ...*function.Version) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		for _, v := range versions {
			if err := tx.Insert(v); err != nil {
				return err
			}
		}
		return nil
	})
}

func names(versions []*function.Version) string {
	var s []string
	for _, v := range versions {
		s = append(s, v.Key.Name+":"+v.Version)
	}
	return strings.Join(s, " ")
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	cases := map[string]func(v *function.Version){
		"everything set":        func(*function.Version) {},
		"environment not given": func(v *function.Version) { v.Config.Environment = nil },
		"environment empty":     func(v *function.Version) { v.Config.Environment = map[string]string{} },
		"nothing set": func(v *function.Version) {
			*v = function.Version{Key: v.Key, Version: v.Version, RevisionID: "r", LastModified: time.UnixMilli(0).UTC()}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, db *store.DB) {
				want := fullVersion()
				change(want)
				insert(t, db, want)
				got, err := db.Get(t.Context(), want.Key, want.Version)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("record differs (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestKeysAreKeptApart(t *testing.T) {
	db := open(t, "")
	keys := []function.Key{
		{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"},
		{Partition: "aws-cn", Account: "000000000000", Region: "us-east-1", Name: "f"},
		{Partition: "aws", Account: "000000000001", Region: "us-east-1", Name: "f"},
		{Partition: "aws", Account: "000000000000", Region: "eu-west-1", Name: "f"},
		{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "F"},
	}
	for i, k := range keys {
		v := version("", function.Latest, fmt.Sprint("r", i))
		v.Key = k
		insert(t, db, v)
	}
	for i, k := range keys {
		v, err := db.Get(t.Context(), k, function.Latest)
		if err != nil || v.RevisionID != fmt.Sprint("r", i) {
			t.Errorf("Get(%v) = %v, %v; want revision r%d", k, v, err, i)
		}
	}
	listed, err := db.ListFunctions(t.Context(), scope, "", 10)
	if err != nil || names(listed) != "F:$LATEST f:$LATEST" {
		t.Errorf("ListFunctions = %s, %v; want the two of the scope, by name", names(listed), err)
	}
	if u, err := db.Usage(t.Context(), keys[1].Scope()); err != nil || u != (store.Usage{Functions: 1, CodeBytes: 100}) {
		t.Errorf("Usage of aws-cn = %+v, %v", u, err)
	}
}

func TestErrors(t *testing.T) {
	f := keyOf("f")
	cases := []struct {
		name string
		do   func(tx *store.Tx) error
		want error
	}{
		{"insert again", func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "x")) }, store.ErrExists},
		{"insert a published version again", func(tx *store.Tx) error { return tx.Insert(version("f", "1", "x")) }, store.ErrExists},
		{"publish without a function", func(tx *store.Tx) error { return tx.Insert(version("none", "1", "x")) }, store.ErrNotFound},
		{"replace an old revision", func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, "x"), "r0") }, store.ErrConflict},
		{"replace no revision", func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, "x"), "") }, store.ErrConflict},
		{"replace a missing version", func(tx *store.Tx) error { return tx.Replace(version("f", "7", "x"), "r1") }, store.ErrNotFound},
		{"replace a missing function", func(tx *store.Tx) error { return tx.Replace(version("none", "1", "x"), "r1") }, store.ErrNotFound},
		{"get a missing version", func(tx *store.Tx) error { _, err := tx.Get(f, "7"); return err }, store.ErrNotFound},
		{"get an alias", func(tx *store.Tx) error { _, err := tx.Get(f, "live"); return err }, store.ErrNotFound},
		{"get another spelling of a number", func(tx *store.Tx) error { _, err := tx.Get(f, "01"); return err }, store.ErrNotFound},
		{"delete a missing version", func(tx *store.Tx) error { return tx.DeleteVersion(f, "7") }, store.ErrNotFound},
		{"delete an alias as a version", func(tx *store.Tx) error { return tx.DeleteVersion(f, "live") }, store.ErrNotFound},
		{"delete a missing function", func(tx *store.Tx) error { return tx.DeleteFunction(keyOf("none")) }, store.ErrNotFound},
		{"last version of none", func(tx *store.Tx) error { _, err := tx.LastPublished(keyOf("none")); return err }, store.ErrNotFound},
	}
	eachKind(t, func(t *testing.T, db *store.DB) {
		insert(t, db, version("f", function.Latest, "r1"), version("f", "1", "r1"))
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				err := db.Update(t.Context(), c.do)
				if !errors.Is(err, c.want) {
					t.Errorf("error = %v, want %v", err, c.want)
				}
			})
		}
		if _, err := db.Get(t.Context(), f, "7"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of a missing version = %v", err)
		}
	})
}

func TestRefusesMeaninglessChanges(t *testing.T) {
	db := open(t, "")
	insert(t, db, version("f", function.Latest, "r1"))
	cases := map[string]func(tx *store.Tx) error{
		"revision id kept":     func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, "r1"), "r1") },
		"revision id empty":    func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, ""), "r1") },
		"delete $LATEST alone": func(tx *store.Tx) error { return tx.DeleteVersion(keyOf("f"), function.Latest) },
		"insert an alias":      func(tx *store.Tx) error { return tx.Insert(version("f", "live", "r1")) },
	}
	for name, do := range cases {
		if err := db.Update(t.Context(), do); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if v, err := db.Get(t.Context(), keyOf("f"), function.Latest); err != nil || v.RevisionID != "r1" {
		t.Errorf("the record is %v, %v; want it unchanged", v, err)
	}
}

func TestNumbersAreNeverUsedTwice(t *testing.T) {
	db := open(t, "")
	key := keyOf("f")
	next := func() (n int) {
		update(t, db, func(tx *store.Tx) (err error) { n, err = tx.NextVersion(key); return err })
		return n
	}
	insert(t, db, version("f", function.Latest, "r"))
	if got := []int{next(), next()}; !cmp.Equal(got, []int{1, 2}) {
		t.Fatalf("first numbers = %v", got)
	}
	update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(key) })
	insert(t, db, version("f", function.Latest, "r"), version("f", "9", "r"))
	if got := next(); got != 10 {
		t.Errorf("number after delete, re-create and a version 9 = %d, want 10", got)
	}
	boom := errors.New("boom")
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.NextVersion(key); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("Update = %v, want the error of its function", err)
	}
	if got := next(); got != 11 {
		t.Errorf("number after a rolled back one = %d, want 11", got)
	}
}

func TestLastPublishedIsTheHighestNumber(t *testing.T) {
	db := open(t, "")
	insert(t, db, version("f", function.Latest, "r"), version("f", "2", "r"), version("f", "10", "r"), version("f", "9", "r"))
	last := func() (v *function.Version) {
		update(t, db, func(tx *store.Tx) (err error) { v, err = tx.LastPublished(keyOf("f")); return err })
		return v
	}
	if v := last(); v.Version != "10" {
		t.Errorf("last = %s, want 10", v.Version)
	}
	update(t, db, func(tx *store.Tx) error { return tx.DeleteVersion(keyOf("f"), "10") })
	if v := last(); v.Version != "9" {
		t.Errorf("last after deleting 10 = %s, want 9", v.Version)
	}
}

func TestRollback(t *testing.T) {
	eachKind(t, func(t *testing.T, db *store.DB) {
		insert(t, db, version("f", function.Latest, "r1"))
		told := 0
		defer db.Subscribe(func(store.Changes) { told++ })()
		work := func(tx *store.Tx) {
			for _, err := range []error{
				tx.Insert(version("g", function.Latest, "r")),
				tx.Replace(version("f", function.Latest, "r2"), "r1"),
				tx.DeleteFunction(keyOf("f")),
			} {
				if err != nil {
					t.Error(err)
				}
			}
		}
		boom := errors.New("boom")
		if err := db.Update(t.Context(), func(tx *store.Tx) error { work(tx); return boom }); !errors.Is(err, boom) {
			t.Errorf("Update = %v", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = db.Update(t.Context(), func(tx *store.Tx) error { work(tx); panic("boom") })
		}()
		if v, err := db.Get(t.Context(), keyOf("f"), function.Latest); err != nil || v.RevisionID != "r1" {
			t.Errorf("f = %v, %v; want it unchanged", v, err)
		}
		if _, err := db.Get(t.Context(), keyOf("g"), function.Latest); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("g: %v, want not found", err)
		}
		if told != 0 {
			t.Errorf("subscribers were told %d times of what did not happen", told)
		}
	})
}

func TestUpdateEndsWithItsContextOnlyBeforeItBegins(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "state.db"))
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *store.Tx) error {
		cancel()
		return tx.Insert(version("f", function.Latest, "r"))
	})
	if err != nil {
		t.Fatalf("Update whose context ended inside = %v", err)
	}
	if _, err := db.Get(t.Context(), keyOf("f"), function.Latest); err != nil {
		t.Errorf("its record: %v", err)
	}
	err = db.Update(ctx, func(*store.Tx) error { t.Error("ran although its context had ended"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update with an ended context = %v", err)
	}

	// Waiting for another writer ends with the context too.
	err = db.Update(t.Context(), func(*store.Tx) error {
		err := db.Update(ctx, func(*store.Tx) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Update that waits with an ended context = %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	eachKind(t, func(t *testing.T, db *store.DB) {
		if _, err := db.Setting(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("missing setting: %v", err)
		}
		secret := []byte{0, 0xff, '\n', 7}
		for _, value := range [][]byte{secret, []byte("second")} {
			got, err := db.SetSettingOnce(t.Context(), "k", value)
			if err != nil || !cmp.Equal(got, secret) {
				t.Errorf("SetSettingOnce(%q) = %q, %v; want the first value", value, got, err)
			}
		}
		if got, err := db.Setting(t.Context(), "k"); err != nil || !cmp.Equal(got, secret) {
			t.Errorf("Setting = %q, %v", got, err)
		}
	})
}
