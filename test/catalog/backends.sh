# What the catalog keeps its data in, for tests: SQLite and a directory (BACKEND=local), or a real PostgreSQL and moto's S3
# (BACKEND=shared). Sourced on top of test/lib.sh, never run.
#
#   each_backend "$@"          in a script's beginning: runs the script once on each; behind it $BACKEND is set
#   only_shared "$@"           the same for a script that is about PostgreSQL and S3
#   start_backend DIR          starts what it needs, below DIR; CATALOG_OPTIONS has flox-catalog's options
#   stop_backend               stops it
#   start_postgres, stop_postgres [SIGNAL], start_s3, stop_s3    one of them, started again over the same data
#                              (PG_LISTEN is the address that PostgreSQL listens at, if it is not 127.0.0.1)
#   empty_postgres             an empty database in place of the one that is there
#   start_s3_proxy [careless]  test/catalog/s3_proxy.py in front of S3: $S3_PROXY, $backend_dir/proxy.log
#   sql STATEMENT              asks the database of $BACKEND
#   lose_file NAME             takes a file of the cache away behind the catalog's back
#   spooled                    how many uploads are on their way to $catalog, or are left of one that was killed
#   spooled_in DIR PID         the same of any catalog, by its directory for them
#
# PostgreSQL runs as an unprivileged user, with ICU's English order of texts, a password over TCP and none at its socket.
. "$PROJECT/script/venv.sh"
CATALOG_OPTIONS=()
postgres= s3= s3_proxy=
PG_BIN=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1 || true)

each_backend() {
  local backend
  [ -z "${BACKEND:-}" ] || return 0
  for backend in local shared; do
    step "on $backend storage"
    BACKEND=$backend "$0" "$@" || exit $?
  done
  exit 0
}
only_shared() {
  export BACKEND=shared
}

# In front of a program of PostgreSQL, which refuses to be root.
as_postgres=()
[ "$(id -u)" != 0 ] || as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)

start_backend() {
  BACKEND=${BACKEND:-local}
  backend_dir=$1
  mkdir -p "$backend_dir"
  [ "$BACKEND" = shared ] || return 0
  [ -n "$PG_BIN" ] || { echo "PostgreSQL is not installed (script/bootstrap)"; exit 77; }
  "$PROJECT/script/moto-venv" >/dev/null || { echo "moto's server cannot be installed from PyPI"; exit 77; }
  chmod 755 "$backend_dir" "$(dirname "$backend_dir")"
  make_postgres
  start_postgres
  s3_port=$(free_port)
  export AWS_ACCESS_KEY_ID=catalog AWS_SECRET_ACCESS_KEY=sesame AWS_REGION=eu-central-1
  S3_URL=http://127.0.0.1:$s3_port
  start_s3
  database_url=postgresql://catalog@127.0.0.1:$pg_port/catalog
  CATALOG_OPTIONS=(--database "$database_url" --database-password-file "$backend_dir/password" --files "s3://bucket/cache?endpoint=$S3_URL&region=eu-central-1")
}
stop_backend() {
  [ -z "$s3_proxy" ] || { kill "$s3_proxy" && wait "$s3_proxy" || true; }
  s3_proxy=
  stop_postgres
  stop_s3
}

# init_postgres DIRECTORY: makes DIRECTORY/data, in a place that an unprivileged user gets to.
init_postgres() {
  local place
  place=$(mktemp -d)
  [ "$(id -u)" != 0 ] || chown postgres:postgres "$place"
  (cd "$place" && "${as_postgres[@]}" "$PG_BIN/initdb" -D data -U admin -A trust --no-sync -E UTF8 --locale-provider=icu --icu-locale=en --locale=C.UTF-8) >"$place.log" 2>&1 ||
    die "initdb failed: $(tail -5 "$place.log")"
  mkdir -p "$1"
  cp -a "$place/data" "$1/data"
  rm -rf "$place" "$place.log"
}
# A copy of one that was made once on this machine: initdb takes some seconds.
make_postgres() {
  (umask 077 && echo "sesame's secret" >"$backend_dir/password")
  mkdir -p "$backend_dir/pg"
  local made
  made=$PYPI_CACHE/postgres-$("$PG_BIN/postgres" --version | tr -cd '0-9.')-$(declare -f init_postgres | sha256sum | cut -c1-12)
  made_once "$made" init_postgres
  cp -a "$made/data" "$backend_dir/pg/data"
  [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$backend_dir/pg"
  printf '%s\n' 'local all all trust' 'host all all all scram-sha-256' >"$backend_dir/hba"
  [ "$(id -u)" != 0 ] || chown postgres "$backend_dir/hba"
  pg_port=$(free_port)
  export PGUSER=admin
}
start_postgres() {
  "${as_postgres[@]}" "$PG_BIN/postgres" -D "$backend_dir/pg/data" -k "$backend_dir/pg" -h "${PG_LISTEN:-127.0.0.1}" -p "$pg_port" -c hba_file="$backend_dir/hba" \
    -c fsync=off -c max_connections=60 "$@" >>"$backend_dir/pg.log" 2>&1 </dev/null &
  postgres=$!
  wait_for_process $postgres 30 "PostgreSQL, whose log is $backend_dir/pg.log" "${as_postgres[@]}" "$PG_BIN/pg_isready" -q -h "$backend_dir/pg" -p "$pg_port"
  [ -n "$(psql_admin -Atc "select 1 from pg_roles where rolname = 'catalog'")" ] && return
  psql_admin -qc "create role catalog login password '$(sed "s/'/''/g" "$backend_dir/password")'"
  empty_postgres
}
empty_postgres() {
  PGOPTIONS='-c client_min_messages=warning' psql_admin -q -v ON_ERROR_STOP=1 -c 'drop database if exists catalog with (force)' -c 'create database catalog owner catalog'
}
# INT: as at a restart of the service, whoever is connected is cut off.
stop_postgres() {
  [ -z "$postgres" ] || { kill "-${1:-INT}" "$postgres" 2>/dev/null && wait "$postgres" || true; }
  postgres=
}
psql_admin() { "${as_postgres[@]}" "$PG_BIN/psql" -X -h "$backend_dir/pg" -p "$pg_port" -U admin -d "${PG_DATABASE:-postgres}" "$@"; }

# moto keeps everything in memory: it is stopped with SIGSTOP to be away, and its bucket is made once.
start_s3() {
  if [ -n "$s3" ]; then
    kill -CONT "$s3"
    return
  fi
  bash "$PROJECT/test/ticket/moto.sh" start "$s3_port" "$backend_dir/moto.pid" "$backend_dir/moto.log"
  s3=$(cat "$backend_dir/moto.pid")
  curl -fs -o /dev/null -X PUT "$S3_URL/bucket" -d '<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>'
}
stop_s3() {
  [ -z "$s3" ] || { kill -CONT "$s3" 2>/dev/null; bash "$PROJECT/test/ticket/moto.sh" stop "$backend_dir/moto.pid"; }
  s3=
}

start_s3_proxy() {
  python3 "$PROJECT/test/catalog/s3_proxy.py" "$s3_port" "$backend_dir/proxy.port" "$backend_dir/proxy.log" "$@" &
  s3_proxy=$!
  wait_for_process $s3_proxy 20 "the proxy of S3" test -s "$backend_dir/proxy.port"
  S3_PROXY=http://127.0.0.1:$(cat "$backend_dir/proxy.port")
}

sql() {
  if [ "$BACKEND" = shared ]; then PG_DATABASE=catalog psql_admin -Atc "$1"; else sqlite3 "$data/catalog.sqlite" "$1"; fi
}
lose_file() {
  if [ "$BACKEND" = shared ]; then curl -fs -o /dev/null -X DELETE --aws-sigv4 aws:amz:eu-central-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$S3_URL/bucket/cache/$1"; else rm "$data/cache/$1"; fi
}
spooled() { spooled_in "$data/$([ "$BACKEND" = shared ] || echo cache/)uploads" "$catalog"; }
# Most file systems have files without a name, of which nothing can be left: these are the process's descriptors.
spooled_in() { { find "$1" -type f && find "/proc/${2:-none}/fd" -lname "$(realpath "$1")/#*" 2>/dev/null || true; } | wc -l; }
