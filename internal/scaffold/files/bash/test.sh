#!/bin/bash
# Run with: bash test.sh
set -euo pipefail
cd "$(dirname "$0")"

check() {
  local got
  got=$(bash bootstrap --event <<<"$1" 2>/dev/null)
  [ "$got" = "$2" ] || { echo "for $1: $got, want $2" >&2; exit 1; }
}
check '{}' '{"greeting": "hello world"}'
check '{"name": "lamb"}' '{"greeting": "hello lamb"}'
echo ok
