package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// keyWhere selects by a function's key; keyArgs are its arguments.
const keyWhere = `aws_partition = ? AND account = ? AND region = ? AND name = ?`

// scopeWhere selects by a scope; scopeArgs are its arguments.
const scopeWhere = `aws_partition = ? AND account = ? AND region = ?`

// columns are those of function_versions, in the order of scan and rowArgs.
const columns = `aws_partition, account, region, name, version_number,
	revision_id, last_modified_ms, state, state_reason, state_code,
	last_update, last_update_reason, last_update_code,
	code_sha256, code_size, code_unzipped, serving_sha256, config`

func keyArgs(k function.Key) []any { return []any{k.Partition, k.Account, k.Region, k.Name} }

func scopeArgs(s function.Scope) []any { return []any{s.Partition, s.Account, s.Region} }

// versionNumber is how a version's name is stored: $LATEST as 0, so that it
// sorts first, and a published version as its number.
func versionNumber(version string) (int64, error) {
	if version == function.Latest {
		return 0, nil
	}
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != version {
		return 0, fmt.Errorf("%q is not a version", version)
	}
	return n, nil
}

func versionName(number int64) string {
	if number == 0 {
		return function.Latest
	}
	return strconv.FormatInt(number, 10)
}

// rowArgs returns the values of columns.
func rowArgs(v *function.Version) ([]any, error) {
	number, err := versionNumber(v.Version)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(v.Config)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration of %s: %w", v.Key.Name, err)
	}
	serving := ""
	if v.Config.Kept.Serving != nil {
		serving = v.Config.Kept.Serving.Code.SHA256
	}
	return append(keyArgs(v.Key), number,
		v.RevisionID, v.LastModified.UnixMilli(),
		string(v.State), v.StateReason.Text, v.StateReason.Code,
		string(v.LastUpdate), v.LastUpdateReason.Text, v.LastUpdateReason.Code,
		v.Code.SHA256, v.Code.Size, v.Code.Unzipped, serving, string(config)), nil
}

// scanner is what *sql.Row and *sql.Rows have in common.
type scanner interface{ Scan(dest ...any) error }

// scan reads columns.
func scan(row scanner) (*function.Version, error) {
	var (
		v                function.Version
		number, modified int64
		serving, config  string
	)
	err := row.Scan(&v.Key.Partition, &v.Key.Account, &v.Key.Region, &v.Key.Name, &number,
		&v.RevisionID, &modified, &v.State, &v.StateReason.Text, &v.StateReason.Code,
		&v.LastUpdate, &v.LastUpdateReason.Text, &v.LastUpdateReason.Code,
		&v.Code.SHA256, &v.Code.Size, &v.Code.Unzipped, &serving, &config)
	if err != nil {
		return nil, err
	}
	v.Version = versionName(number)
	v.LastModified = time.UnixMilli(modified).UTC()
	if err := json.Unmarshal([]byte(config), &v.Config); err != nil {
		return nil, fmt.Errorf("decode the configuration of %s: %w", v.Key.QualifiedARN(v.Version), err)
	}
	return &v, nil
}

// stored returns v as reading it back would: subscribers and readers must not
// see two different times.
func stored(v *function.Version) *function.Version {
	c := *v
	c.LastModified = time.UnixMilli(v.LastModified.UnixMilli()).UTC()
	return &c
}
