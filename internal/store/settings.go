package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
)

// Setting returns a fact or secret of the installation, or ErrNotFound.
func (db *DB) Setting(ctx context.Context, name string) ([]byte, error) {
	var text string
	row := db.sql.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = ?`, name)
	err := row.Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: setting %s", ErrNotFound, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read setting %s: %w", name, err)
	}
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read setting %s: %w", name, err)
	}
	return value, nil
}

// SetSettingOnce stores value unless the setting has one, and returns the
// value that it has now. Of several callers one wins, and all get its value.
func (db *DB) SetSettingOnce(ctx context.Context, name string, value []byte) ([]byte, error) {
	err := db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`,
			name, base64.StdEncoding.EncodeToString(value))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("set setting %s: %w", name, err)
	}
	return db.Setting(ctx, name)
}
