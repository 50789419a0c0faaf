# What the tests of `flox import npm` and `flox import pypi` share: an index of the test's own on loopback, and what is asked of an
# import. The test defines import(). Sourced after support.sh, never run.

# serve_index PROGRAM [NAME]: PROGRAM (npm_registry.py, python_index.py) serves the directory INDEX, which is made as $WORK/NAME
# ("index"); URL is where, SERVER the process.
serve_index() {
  INDEX=$WORK/${2:-index}
  mkdir "$INDEX"
  python3 "$PROJECT/test/package/$1" serve "$INDEX" &
  SERVER=$!
  disown "$SERVER"
  for _ in $(seq 200); do [ -s "$INDEX/port" ] && break || sleep 0.05; done
  URL=http://127.0.0.1:$(cat "$INDEX/port")
}
SERVER=
cleanup() { [ -z "$SERVER" ] || kill -KILL "$SERVER" 2>/dev/null; rm -rf --one-file-system "$WORK"; }
# Debian's packages are kept between runs; what comes of the index is the test's own.
keep_debs() {
  local debs=${XDG_CACHE_HOME:-$HOME/.cache}/flox/debs
  mkdir -p "$WORK/cache/flox" "$debs"
  ln -s "$debs" "$WORK/cache/flox/debs"
  export XDG_CACHE_HOME=$WORK/cache
}
# interpreter NAME: Debian's package is imported once, into the test's store; $WORK/second is a copy of that.
interpreter() {
  "$FLOX" --root "$ROOT" import deb "$1" --no-smoke-run --json -q >"$WORK/interpreter.json"
  cp -a --reflink=auto "$ROOT" "$WORK/second"
}
import_refused() {  # import_refused TEXT ARGUMENTS…
  local text=$1
  shift
  if import "$@" >"$WORK/out" 2>&1; then die "it was imported: $*"; fi
  expect_contains "$(cat "$WORK/out")" "$text"
}
out_of() { jq -r '.[0].outputs.out' "$1"; }
part_of() { jq -r --arg name "$2" '.[0].parts[] | select(.name == $name) | .path' "$1"; }
