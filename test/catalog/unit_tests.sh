#!/usr/bin/env bash
# The unit tests of the catalog's records and files, which run on SQLite and a directory by themselves, on a real PostgreSQL
# and S3.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
only_shared
[ -x "$BUILD_DIR/unit/server_test" ] || { echo "the unit tests are not built"; exit 77; }
start_backend "$dir/backend"

step "records and files, on PostgreSQL and S3"
export FLOX_TEST_DATABASE="postgresql://admin@/NAME?host=$backend_dir/pg&port=$pg_port"
export FLOX_TEST_S3="s3://bucket/NAME?endpoint=$S3_URL&region=eu-central-1"
"$BUILD_DIR/unit/server_test" --gtest_brief=1 --gtest_filter='-ReleasedFiles*:Postgres*:S3Answers*' >"$dir/tests" 2>&1 || die "$(grep -vE ' (info|warning) ' "$dir/tests" | tail -60)"
grep '^\[  PASSED  \]' "$dir/tests" >&2

step "every one of them was on PostgreSQL"
[ "$(PG_DATABASE=postgres psql_admin -Atc "select sum(xact_commit) from pg_stat_database where datname = 'postgres'")" -gt 0 ] || die "PostgreSQL was not asked"
grep -q 'created\|CREATE\|PUT /bucket/test-' "$backend_dir/moto.log" || die "S3 was not asked"
