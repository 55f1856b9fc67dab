package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
)

// TestEveryConnectionIsDurable reads the pragmas back on every connection of
// the pool: an acknowledged commit survives power loss only with these.
func TestEveryConnectionIsDurable(t *testing.T) {
	db, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if open := db.sql.Stats().MaxOpenConnections; open != maxConns {
		t.Fatalf("the pool has %d connections at most, want %d", open, maxConns)
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "fullfsync": "1", "checkpoint_fullfsync": "1"}
	for i := range maxConns {
		conn, err := db.sql.Conn(t.Context()) // held, so that the next is another
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }() // before the pool, which has its error
		got := map[string]string{}
		for name := range want {
			var value string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&value); err != nil {
				t.Fatal(err)
			}
			got[name] = value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("connection %d (-want +got):\n%s", i, diff)
		}
	}
	if open := db.sql.Stats().OpenConnections; open != maxConns {
		t.Errorf("looked at %d connections, want %d", open, maxConns)
	}
}

// TestForeignKeysHold shows that the pragma does what it says.
func TestForeignKeysHold(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "state.db")} {
		db, err := Open(t.Context(), Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		args, err := rowArgs(&function.Version{Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(t.Context(), func(tx *Tx) error {
			_, err := tx.exec(`INSERT INTO function_versions (`+columns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, args...)
			return err
		})
		if err == nil {
			t.Errorf("a version without a name was stored (path %q)", path)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestConnectionsThatAreNotDurableAreRefused: a file system may not be able
// to do WAL, and SQLite does not say so by an error.
func TestConnectionsThatAreNotDurableAreRefused(t *testing.T) {
	pool, err := connect("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }() // nothing in it
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing in it
	var refused error
	err = conn.Raw(func(c any) error { // a database in memory has no WAL mode
		driverConn, ok := c.(driver.Conn)
		if !ok {
			return fmt.Errorf("%T is not a connection", c)
		}
		refused = apply(t.Context(), driverConn, pragma{"journal_mode", "WAL", "wal"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if refused == nil || !strings.Contains(refused.Error(), "journal_mode") {
		t.Errorf("a connection that is not in WAL mode: %v", refused)
	}
}

// openAt makes a database with the schema's first steps and a fixture's rows.
func openAt(t *testing.T, path, fixture string) {
	t.Helper()
	pool, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMigratesOlderSchemas: testdata/schema-N.sql is what a lamb with schema N
// left, and is not changed when the schema goes on.
func TestMigratesOlderSchemas(t *testing.T) {
	for _, fixture := range []string{"schema-1.sql", "schema-3.sql"} {
		t.Run(fixture, func(t *testing.T) { migrateFrom(t, filepath.Join("testdata", fixture)) })
	}
}

func migrateFrom(t *testing.T, fixture string) {
	path := filepath.Join(t.TempDir(), "state.db")
	openAt(t, path, fixture)
	for range 2 { // the second finds nothing to do
		db, err := Open(t.Context(), Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		key := function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "hello"}
		got, err := db.ListVersions(t.Context(), key, Cursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(schema1(key), got); diff != "" {
			t.Errorf("versions after the migration (-want +got):\n%s", diff)
		}
		if _, err := db.SetSettingOnce(t.Context(), "new", []byte("x")); err != nil {
			t.Errorf("what the newer schema has: %v", err)
		}
		if _, err := db.Alias(t.Context(), key, "live"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an alias that nobody made: %v", err)
		}
		err = db.Update(t.Context(), func(tx *Tx) error {
			n, err := tx.NextVersion(key)
			if err == nil && n != 5 {
				t.Errorf("next number = %d, want 5", n)
			}
			alias := &function.Alias{Key: key, Name: "live", RevisionID: "r", Version: "3"}
			return errors.Join(err, tx.InsertAlias(alias), errRollback)
		})
		if !errors.Is(err, errRollback) {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMigrationKeepsLayersAndSettings: what schema 3 has and schema 1 has not.
func TestMigrationKeepsLayersAndSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	openAt(t, path, "testdata/schema-3.sql")
	db, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	key := function.LayerKey{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "l"}
	got, err := db.LayerVersion(t.Context(), key, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := &function.LayerVersion{
		Key: key, Number: 2, Created: time.UnixMilli(1760000000123).UTC(),
		Code: function.Code{SHA256: "ab", Size: 7, Unzipped: 9},
		Details: function.LayerDetails{
			Description: "d", LicenseInfo: "MIT", Runtimes: []string{"python3.12"}, Architectures: []string{"arm64"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer after the migration (-want +got):\n%s", diff)
	}
	if value, err := db.SetSettingOnce(t.Context(), "link-key", []byte("other")); err != nil || string(value) != "secret" {
		t.Errorf("setting after the migration: %q, %v", value, err)
	}
}

// schema1 is what is in testdata/schema-1.sql. It has every field of the
// configuration: one that is renamed needs a migration.
func schema1(key function.Key) []*function.Version {
	latest := &function.Version{
		Key: key, Version: function.Latest, RevisionID: "6f1d3e0e-2a1b-4a56-9a53-0f3f6d3d9b01",
		LastModified: time.UnixMilli(1760000000123).UTC(),
		State:        function.StateActive, LastUpdate: function.UpdateSuccessful,
		Code: function.Code{SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Size: 211, Unzipped: 96},
		Config: function.Config{
			Description: "says hello", Runtime: "python3.12", Handler: "app.handler", Role: "arn:aws:iam::000000000000:role/r",
			TimeoutSecs: 3, MemoryMB: 128, TmpMB: 512, PackageType: "Zip", Architectures: []string{"x86_64"},
			Environment: map[string]string{"WHO": "world"},
			Layers:      []function.Layer{{ARN: "arn:aws:lambda:us-east-1:000000000000:layer:l:1", SHA256: "ab", Size: 7}},
			TracingMode: "PassThrough", SnapStart: "None",
			Logging:         function.Logging{Format: "JSON", ApplicationLevel: "INFO", SystemLevel: "WARN", Group: "/aws/lambda/hello"},
			DeadLetterARN:   "arn:aws:sqs:us-east-1:000000000000:q",
			KMSKeyARN:       "arn:aws:kms:us-east-1:000000000000:key/k",
			SourceKMSKeyARN: "arn:aws:kms:us-east-1:000000000000:key/s",
			VPC:             &function.VPC{SubnetIDs: []string{"subnet-1"}, SecurityGroupIDs: []string{"sg-1"}, VPCID: "vpc-1", IPv6: true},
			FileSystems: []function.FileSystem{{
				ARN: "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/a", LocalMountPath: "/mnt/a",
			}},
			ImageConfig:     &function.ImageConfig{EntryPoint: []string{"/e"}, Command: []string{"c"}, WorkingDirectory: "/w"},
			TenantIsolation: "PER_TENANT", RuntimeVersionARN: "arn:aws:lambda:us-east-1::runtime:0",
			Kept: function.Kept{
				Serving: &function.Content{
					Code:   function.Code{SHA256: "cd", Size: 1, Unzipped: 2},
					Config: function.Config{Runtime: "python3.11"},
				},
				Tags:              map[string]string{"team": "a"},
				SourceDescription: "d",
			},
		},
	}
	published := *latest
	published.Version, published.RevisionID = "3", "6f1d3e0e-2a1b-4a56-9a53-0f3f6d3d9b02"
	published.Config = function.Config{
		Runtime: "nodejs22.x", Handler: "h", TimeoutSecs: 3, MemoryMB: 128, TmpMB: 512, PackageType: "Zip",
		Architectures: []string{"arm64"}, Environment: map[string]string{}, TracingMode: "PassThrough", SnapStart: "None",
		Logging: function.Logging{Format: "Text", Group: "g"},
	}
	return []*function.Version{latest, &published}
}

var errRollback = errors.New("roll back")

func TestRefusesANewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.sql.ExecContext(t.Context(), `INSERT INTO lamb_schema (version) VALUES (999)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path}); !errors.Is(err, ErrNewer) {
		t.Errorf("Open = %v, want ErrNewer", err)
	}
}

// TestMigrationIsAllOrNothing: a step that fails leaves the schema as it was.
func TestMigrationIsAllOrNothing(t *testing.T) {
	pool, err := connect(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := pool.ExecContext(t.Context(), `CREATE TABLE lamb_schema (version BIGINT NOT NULL PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	bad := []string{`CREATE TABLE a (x TEXT)`, `CREATE TABLE b (x TEXT); CREATE TABLE a (y TEXT)`}
	if _, err := step(t.Context(), pool, bad); err != nil {
		t.Fatal(err)
	}
	if _, err := step(t.Context(), pool, bad); err == nil {
		t.Fatal("the bad step succeeded")
	}
	if got := count(t, pool, `SELECT COUNT(*) FROM lamb_schema`); got != 1 {
		t.Errorf("%d steps recorded, want 1", got)
	}
	if _, err := pool.ExecContext(t.Context(), `SELECT * FROM b`); err == nil {
		t.Error("half of the bad step is there")
	}
}

func count(t *testing.T, pool *sql.DB, query string) (n int) {
	t.Helper()
	if err := pool.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBrokenFilesAreRefused: an error, and no new database in their place.
func TestBrokenFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, []byte("this is not a database, it is a text of some length\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Options{Path: path, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("opened a text as a database")
		_ = db.Close() // the test has failed
	}
	if text, err := os.ReadFile(path); err != nil || string(text[:4]) != "this" {
		t.Errorf("the file was changed: %q, %v", text, err)
	}
	if _, err := Open(t.Context(), Options{Path: filepath.Join(path, "missing", "state.db")}); err == nil {
		t.Error("opened a file in a folder that does not exist")
	}
}
