package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// pragma is a setting of one connection, and what reading it back must give.
type pragma struct{ name, value, readBack string }

// filePragmas are set on every connection to a database file. A commit must
// survive power loss: in WAL mode only synchronous=FULL syncs the log before
// a commit returns, and on macOS only fullfsync makes the drive write it.
var filePragmas = []pragma{
	// First, because changing the journal mode may have to wait.
	{"busy_timeout", "10000", "10000"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"foreign_keys", "ON", "1"},
	{"fullfsync", "ON", "1"},
	{"checkpoint_fullfsync", "ON", "1"},
}

var memoryPragmas = []pragma{
	{"foreign_keys", "ON", "1"},
}

// connect opens the pool of connections to the file, or to a database in
// memory when path is empty.
func connect(path string) (*sql.DB, error) {
	if path == "" {
		base, err := sqlite.NewConnector(":memory:")
		if err != nil {
			return nil, err
		}
		pool := sql.OpenDB(connector{base, memoryPragmas})
		// The connection is the database: there must be one, and it must stay.
		pool.SetMaxOpenConns(1)
		pool.SetMaxIdleConns(1)
		return pool, nil
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// immediate: a transaction of ours always writes, and must not fail half
	// way because a reader's lock cannot be upgraded.
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: abs, RawQuery: "_txlock=immediate"}
	base, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector{base, filePragmas})
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	return pool, nil
}

// createFile makes the database file if it is missing: readable by its owner
// only, because functions' environment variables are in it (SQLite gives the
// log beside it the same mode), and with its name made durable.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Close(), dir.Sync(), dir.Close())
}

// connector sets the pragmas on every connection it makes, and refuses a
// connection on which one did not take: SQLite ignores a pragma it cannot
// follow (WAL on some network file systems), and lamb would then acknowledge
// what is not durable.
type connector struct {
	driver.Connector
	pragmas []pragma
}

// Connect opens one connection.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pragmas {
		if err := apply(ctx, conn, p); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func apply(ctx context.Context, conn driver.Conn, p pragma) error {
	db, ok := conn.(interface {
		driver.ExecerContext
		driver.QueryerContext
	})
	if !ok {
		return fmt.Errorf("the database driver's %T cannot run statements", conn)
	}
	if _, err := db.ExecContext(ctx, "PRAGMA "+p.name+" = "+p.value, nil); err != nil {
		return fmt.Errorf("set %s: %w", p.name, err)
	}
	rows, err := db.QueryContext(ctx, "PRAGMA "+p.name, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.name, err)
	}
	got := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(got), rows.Close()); err != nil {
		return fmt.Errorf("read %s: %w", p.name, err)
	}
	if text := fmt.Sprint(got[0]); text != p.readBack {
		return fmt.Errorf("%s is %q and must be %q: the file system or the SQLite library does not support it",
			p.name, text, p.readBack)
	}
	return nil
}
