#!/usr/bin/env bash
# Locks, manifests and variables that came with somebody's repository: nested a million levels, huge, with members of the
# wrong type, endless. Each is an error that names the file, in constant stack; none is a crash or a raw exception.
. "$(dirname "$0")/../lib.sh"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
trap 'rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG
export HOME=$WORK FLOX_ROOT=$WORK/root
ulimit -s 512  # KiB: a level of a recursion has at most half a byte
ulimit -c 0
project=$WORK/project
flox init -d "$project" >/dev/null 2>&1 || (mkdir -p "$project" && cd "$project" && flox init >/dev/null 2>&1)
cd "$project"
LOCK=.flox/env/manifest.lock MANIFEST=.flox/env/manifest.toml
manifest=$(cat $MANIFEST)
restore() { rm -f $LOCK $MANIFEST .flox/env.json; printf '%s\n' "$manifest" >$MANIFEST; echo '{"name": "project", "version": 1}' >.flox/env.json; }
# fails TEXT COMMAND…: an error of ours, with the text; not a signal, not a library's exception.
fails() {
  local text=$1 code=0 output
  shift
  output=$(timeout 60 "$@" 2>&1 </dev/null) || code=$?
  [ "$code" = 1 ] || die "$*: exit code $code instead of 1: ${output:0:500}"
  contains "${output:0:2000}" "$text"
  case ${output:0:2000} in *json.exception* | *"terminate called"* | *"what()"* | *bad_alloc*) die "$*: a raw exception: ${output:0:500}" ;; esac
  [ ${#output} -lt 4000 ] || die "$*: the message has ${#output} bytes"
}
deep() { head -c "$2" /dev/zero | tr '\0' "$1"; }

step "a lock that is nested a million levels"
for nested in "$(deep '[' 100000)$(deep ']' 100000)" "$(printf '{"a":%.0s' {1..20000})1$(deep '}' 20000)" "$(deep '[' 1000000)"; do
  restore
  printf '{"lockfile-version":1,"packages":[],"manifest":{"x":%s}}' "$nested" >$LOCK
  fails "manifest.lock:1:" flox list
  fails "manifest.lock:1:" flox activate -- true
done
restore
{ printf '{"lockfile-version":1,"manifest":{},"packages":['; deep '[' 65; deep ']' 65; printf ']}'; } >$LOCK
fails "manifest.lock:1:" flox list
{ deep '[' 1000000; deep ']' 1000000; } >$LOCK
fails "manifest.lock:1:" flox list

step "a lock with members of the wrong type"
for packages in '[{"install_id":"x","system":"s","outputs":{"out":5}}]' '[{"install_id":"x","outputs":{"out":"/nix/store/../../etc/passwd"}}]' \
  '[{"install_id":"x","outputs":[]}]' '[5]' '{"a":1}' 'null' '"x"' '[{"install_id":"x","outputs":{},"outputs_to_install":[{}]}]' '[{"outputs":{},"priority":123456789012345678901234567890}]' \
  '[{"install_id":"a\nb","outputs":{}}]'; do
  restore
  echo "{\"lockfile-version\":1,\"manifest\":{},\"packages\":$packages}" >$LOCK
  case $packages in
    *12345678901234567890*) timeout 60 flox list >/dev/null 2>&1 || [ $? = 1 ] ;;  # a float for JSON, and no priority
    *) fails "manifest.lock" flox list ;;
  esac
done
for whole in '' '[]' '5' '{"lockfile-version":"1"}' '{"lockfile-version":1,"manifest":[],"packages":[]}' '{"lockfile-version":1e0}' '{"lockfile-version":1,"lockfile-version":1}' $'\xff'; do
  restore
  printf '%s' "$whole" >$LOCK
  fails "manifest.lock" flox list
done

step "a lock without an end, too large, not a file"
restore
ln -s /dev/zero $LOCK
fails "not a regular file" flox list
restore
mkfifo $LOCK
fails "not a regular file" flox list
restore
head -c 5M /dev/zero | tr '\0' ' ' >$LOCK
fails "bytes" flox list

step "a manifest that is nested, by brackets, by dots, by tables"
restore
{ printf '%s\n[more]\nx = ' "$manifest"; deep '[' 900000; } >$MANIFEST
fails "manifest.toml:" flox list
{ printf '%s\n' "$manifest"; printf 'a'; for ((i = 0; i < 20000; i++)); do printf '.a'; done; echo ' = 1'; } >$MANIFEST
fails "manifest.toml:" flox list
{ printf '%s\n[a' "$manifest"; for ((i = 0; i < 20000; i++)); do printf '.a'; done; echo ']'; } >$MANIFEST
fails "manifest.toml:" flox list
head -c 5M /dev/zero | tr '\0' '#' >$MANIFEST
fails "bytes" flox list
rm $MANIFEST && ln -s /dev/zero $MANIFEST
fails "manifest.toml" flox list

step "[profile] names shells, never paths"
for shell in ../../x bash/x "$(deep a 5000)" ksh ..; do
  restore
  printf '%s\n[profile]\n"%s" = "x"\n' "$manifest" "$shell" >$MANIFEST
  fails "manifest.toml:$(($(wc -l <$MANIFEST))):" flox list
done

step "an environment's name is never a path"
for name in '../../x' 'a/b' '..' '' 'a\nb' "$(deep n 300)"; do
  restore
  printf '{"name": "%s", "version": 1}' "$name" >.flox/env.json
  fails "env.json" flox list
done
restore
deep '[' 60000 >.flox/env.json
fails "env.json:1:" flox list
rm .flox/env.json && ln -s /dev/zero .flox/env.json
code=0
timeout 60 flox list >/dev/null 2>&1 || code=$?
[ $code -le 1 ] || die "an env.json without an end: exit code $code"

plain='schema-version = "1.10.0"'
step "variables: what the caller says is active, chains and doublings of the manifest's own"
restore
for active in "$(deep '[' 100000)" '{' 5 '[[[[[[[[[[[[1]]]]]]]]]]]]' $'\xff'; do
  _FLOX_ACTIVE_ENVIRONMENTS=$active timeout 60 flox activate -- true >/dev/null 2>"$WORK/err" ||
    die "_FLOX_ACTIVE_ENVIRONMENTS=${active:0:20}: exit code $?: $(head -c 500 "$WORK/err")"
done
{ printf '%s\n[vars]\nV0 = "end"\n' "$plain"; for ((i = 1; i < 3000; i++)); do echo "V$i = \"\$V$((i - 1))\""; done; } >$MANIFEST
[ "$(timeout 100 flox activate -- sh -c 'echo $V2999' 2>/dev/null)" = end ] || die "a chain of variables does not reach its end"
restore
{ printf '%s\n[vars]\nV0 = "xxxxxxxxxxxxxxxx"\n' "$plain"; for ((i = 1; i < 100; i++)); do echo "V$i = \"\$V$((i - 1))\$V$((i - 1))\""; done; } >$MANIFEST
fails "bytes" flox activate -- true
