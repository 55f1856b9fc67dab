package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// layerColumns are those of layer_versions, in the order of scanLayer and
// InsertLayerVersion.
const layerColumns = `aws_partition, account, region, name, version_number,
	created_ms, code_sha256, code_size, code_unzipped, details`

// A LayerMatch says whether a list should have a layer version; nil: any.
type LayerMatch func(*function.LayerVersion) bool

func layerArgs(k function.LayerKey) []any { return []any{k.Partition, k.Account, k.Region, k.Name} }

// NextLayerVersion takes the next version number of a layer's name, which is
// never given twice, as NextVersion does for functions.
func (tx *Tx) NextLayerVersion(key function.LayerKey) (int64, error) {
	_, err := tx.exec(`INSERT INTO layer_names (aws_partition, account, region, name, last_number)
		VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`, layerArgs(key)...)
	if err == nil {
		_, err = tx.exec(`UPDATE layer_names SET last_number = last_number + 1 WHERE `+keyWhere, layerArgs(key)...)
	}
	if err != nil {
		return 0, fmt.Errorf("number a version of %s: %w", key.ARN(), err)
	}
	var n int64
	row := tx.sql.QueryRowContext(tx.ctx, `SELECT last_number FROM layer_names WHERE `+keyWhere, layerArgs(key)...)
	if err := row.Scan(&n); err != nil {
		return 0, fmt.Errorf("number a version of %s: %w", key.ARN(), err)
	}
	return n, nil
}

// InsertLayerVersion adds a version whose number NextLayerVersion has given in
// this transaction.
func (tx *Tx) InsertLayerVersion(v *function.LayerVersion) error {
	details, err := json.Marshal(v.Details)
	if err != nil {
		return fmt.Errorf("encode the details of %s: %w", v.ARN(), err)
	}
	n, err := tx.exec(`INSERT INTO layer_versions (`+layerColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		append(layerArgs(v.Key), v.Number, v.Created.UnixMilli(),
			v.Code.SHA256, v.Code.Size, v.Code.Unzipped, string(details))...)
	if err != nil {
		return fmt.Errorf("insert %s: %w", v.ARN(), err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", ErrExists, v.ARN())
	}
	return nil
}

// LayerVersion returns a version for a function that will use it, or
// ErrNotFound. It locks the layer until the end of the transaction: who reads
// a function must not find the version deleted before the function has it.
func (tx *Tx) LayerVersion(key function.LayerKey, number int64) (*function.LayerVersion, error) {
	_, err := tx.exec(`UPDATE layer_names SET last_number = last_number WHERE `+keyWhere, layerArgs(key)...)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", key.ARN(), err)
	}
	return layerVersion(tx.ctx, tx.sql, key, number)
}

// DeleteLayerVersion deletes a version; ErrNotFound when it is missing.
// Functions that use it keep it.
func (tx *Tx) DeleteLayerVersion(key function.LayerKey, number int64) error {
	if _, err := tx.LayerVersion(key, number); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM layer_versions WHERE `+keyWhere+` AND version_number = ?`,
		append(layerArgs(key), number)...)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key.VersionARN(number), err)
	}
	return nil
}

// LayerVersion returns a version, or ErrNotFound.
func (db *DB) LayerVersion(ctx context.Context, key function.LayerKey, number int64) (*function.LayerVersion, error) {
	return layerVersion(ctx, db.sql, key, number)
}

// ListLayerVersions returns up to limit versions of a layer that match, those
// with numbers below before (0: from the newest on), the newest first. It
// returns none when there is no such layer.
func (db *DB) ListLayerVersions(
	ctx context.Context, key function.LayerKey, match LayerMatch, before int64, limit int,
) ([]*function.LayerVersion, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return listLayers(ctx, db.sql, match, limit, `SELECT `+layerColumns+` FROM layer_versions
		WHERE `+keyWhere+` AND version_number < ?
		ORDER BY version_number DESC`, append(layerArgs(key), before)...)
}

// ListLayers returns, for up to limit layers of a scope, the newest version
// that matches, in order of names, those after the given name. Layers without
// such a version are not in it.
func (db *DB) ListLayers(
	ctx context.Context, scope function.Scope, match LayerMatch, after string, limit int,
) ([]*function.LayerVersion, error) {
	last := after
	newest := func(v *function.LayerVersion) bool {
		if v.Key.Name == last || match != nil && !match(v) {
			return false
		}
		last = v.Key.Name
		return true
	}
	return listLayers(ctx, db.sql, newest, limit, `SELECT `+layerColumns+` FROM layer_versions
		WHERE `+scopeWhere+` AND name > ?
		ORDER BY name, version_number DESC`, append(scopeArgs(scope), after)...)
}

func layerVersion(ctx context.Context, q querier, key function.LayerKey, number int64) (*function.LayerVersion, error) {
	row := q.QueryRowContext(ctx, `SELECT `+layerColumns+` FROM layer_versions
		WHERE `+keyWhere+` AND version_number = ?`, append(layerArgs(key), number)...)
	v, err := scanLayer(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, key.VersionARN(number))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key.VersionARN(number), err)
	}
	return v, nil
}

// listLayers reads rows until limit of them match: what they match is in no
// column.
func listLayers(
	ctx context.Context, q querier, match LayerMatch, limit int, query string, args ...any,
) ([]*function.LayerVersion, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	defer func() { _ = rows.Close() }() // nothing to lose: rows.Err is checked
	var found []*function.LayerVersion
	for len(found) < limit && rows.Next() {
		v, err := scanLayer(rows)
		if err != nil {
			return nil, fmt.Errorf("list layers: %w", err)
		}
		if match == nil || match(v) {
			found = append(found, v)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	return found, nil
}

// scanLayer reads layerColumns.
func scanLayer(row scanner) (*function.LayerVersion, error) {
	var (
		v       function.LayerVersion
		created int64
		details string
	)
	err := row.Scan(&v.Key.Partition, &v.Key.Account, &v.Key.Region, &v.Key.Name, &v.Number,
		&created, &v.Code.SHA256, &v.Code.Size, &v.Code.Unzipped, &details)
	if err != nil {
		return nil, err
	}
	v.Created = time.UnixMilli(created).UTC()
	if err := json.Unmarshal([]byte(details), &v.Details); err != nil {
		return nil, fmt.Errorf("decode the details of %s: %w", v.ARN(), err)
	}
	return &v, nil
}
