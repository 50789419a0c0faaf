#!/usr/bin/env bash
# A pod that asks for it starts before its files are there: they come when they are read, compared with what was signed, and the
# closure becomes an ordinary one behind its back. floxd's death changes nothing for readers; a cache that is away is an error that
# the next start explains; the keeper's death is an error, too, and the next start has a new mount.
# ctest: COST 60
. "$(dirname "$0")/../lib.sh"
[ -w /dev/fuse ] || { echo "needs /dev/fuse"; exit 77; }
[ "$(printf '%s\n' 6.9 "$(uname -r)" | sort -V | head -1)" = 6.9 ] || { echo "needs Linux 6.9"; exit 77; }
enter_world "$@"
start_containerd
start_catalog

# publish_big NAME: a package with 12 MB of noise, and a program that gives the checksum of a part of it: NAME FIRST-MB.
publish_big() {
  mkdir -p "$WORLD/tree/bin" "$WORLD/tree/share"
  head -c 12000000 /dev/urandom >"$WORLD/tree/share/data"
  printf '#!%s/bin/sh\ntail -c +$(($1 * 1000000 + 1)) "${0%%/bin/*}/share/data" | head -c 100000 | sha256sum\n' "$BUSYBOX" >"$WORLD/tree/bin/$1"
  echo "$BUSYBOX" >"$WORLD/tree/share/refers"
  chmod 755 "$WORLD/tree/bin/$1"
  mv "$WORLD/tree" "$WORLD/$1"
  laptop store add "$WORLD/$1" --scan
}
sum_of() { tail -c +$(($2 * 1000000 + 1)) "$WORLD/$1/share/data" | head -c 100000 | sha256sum; }  # NAME FIRST-MB
publish_tool hello 1.0 # and BUSYBOX
BIG=$(publish_big big) SECRET=$(publish_big secret)
laptop store copy --to "file://$WORLD/cache" --key "$KEY_FILE" "$BIG" "$SECRET" >/dev/null
cp -r "$WORLD/cache" "$WORLD/plain"
sed -i '/^FloxIndex/d' "$WORLD/plain/"*.narinfo

CACHE_PLACE=127.0.0.1:$((30000 + RANDOM % 2000))
start_cache() {  # DIRECTORY
  start_server cache python3 "$PROJECT/test/node/counting_cache.py" "$1" "$CACHE_PLACE" "$WORLD/gave"
  wait_until 10 "the cache" curl -fs "http://$CACHE_PLACE/nix-cache-info"
}
bytes_given() { awk '/ \/nar\/.*\.nar/ { sum += $1 } END { print sum + 0 }' "$WORLD/gave"; }
export FLOX_CACHES=http://$CACHE_PLACE
SHIM=$BUILD_DIR/bin/containerd-shim-flox-v1
container() { ctr -n k8s.io run --runtime "$SHIM" "$@"; }
lazy() {  # ENVIRONMENT ID [OPTION…] COMMAND…
  local environment=$1 id=$2
  shift 2
  container --rm --annotation "flox.dev/environment=$environment" --annotation flox.dev/lazy=true docker.io/flox/empty:1.0.0 "$id" "$@"
}
running() {  # ENVIRONMENT ID: one that goes on
  container -d --annotation "flox.dev/environment=$1" --annotation flox.dev/lazy=true docker.io/flox/empty:1.0.0 "$2" sleep 1000
}
inside() { local id=$1; shift; ctr -n k8s.io task exec --exec-id "e$RANDOM" "$id" "$@"; }
end() { ctr -n k8s.io task kill -s KILL "$1" && wait_until 20 "the end of $1" gone "$1"; }
gone() { ! ctr -n k8s.io task ls | grepq "^$1 .*RUNNING"; }
is() { [ "$(metric "flox_lazy_$1")" = "$2" ]; }
becomes() { wait_until 90 "flox_lazy_$1 to be $2" is "$1" "$2"; }  # floxd looks every few seconds
is_valid() { flox --root "$NODE_ROOT" store info "$1" >/dev/null 2>&1; }
floxd_says() { grep -qaF -- "$1" "$WORLD/logs/floxd.log"; }
keepers() { pgrep -f "/flox-lazy-keeper --lock 0 .*$NODE_ROOT/var/lib/flox/lazy"; }
server_of_mount() { pgrep -P "$(keepers)"; }

start_cache "$WORLD/cache"
export FLOX_PREFETCH_RATE=1K  # nothing is completed
start_floxd
import_images

step "it starts when names are there, reads what was signed, and has fetched no more than that"
equal "$(lazy "$BIG" a1 big 7)" "$(sum_of big 7)"
[ "$(bytes_given)" -lt 12000000 ] || die "100 KB of 12 MB took $(bytes_given) bytes"
if is_valid "$BIG"; then die "it is valid before it is whole"; fi
becomes unfinished_closures 1
metric_is() { awk -v a="$(metric "$1")" -v b="$3" "BEGIN { exit !(a $2 b) }" || die "$1 is $(metric "$1")"; }
metric_is flox_lazy_bytes_here '<' "$(metric flox_lazy_bytes)"
metric_is flox_lazy_reads_waited '>=' 1
equal "$(metric 'flox_lazy_starts_total{result="lazy"}')" 1
equal "$(metric 'flox_stage_seconds_count{stage="lazy"}')" 1
equal "$(metric 'flox_lazy_profiles_total{result="miss"}')" 1
[ "$(metric flox_lazy_read_wait_seconds_count)" -ge 1 ] || die "no read's wait is counted"
last_start() { flox node starts --json | jq -r ".starts[-1]$1"; }
is_ready() { [ "$(last_start .lazy_start.ready_at_ms)" -ge "$(last_start .asked_at_ms)" ]; }
wait_until 30 "nobody to wait any more" is_ready
equal "$(last_start '.lazy_start | .has_profile, .profile_bytes, .whole_at_ms' | xargs)" "false 0 0"
equal "$(last_start '.lazy_start | .bytes_at_ready < .bytes, .missing_bytes <= .closure_bytes, .reads_waited > 0' | xargs)" "true true true"
equal "$(metric 'flox_stage_seconds_count{stage="realise"}')" 0

step "it sees its own closure, and nothing of another pod's that comes through the same mount"
equal "$(lazy "$SECRET" b1 secret 3)" "$(sum_of secret 3)"
seen=$(lazy "$BIG" b2 ls /nix/store)
contains "$seen" "$(basename "$BIG")"
case $seen in *secret*) die "the neighbour's package is visible: $seen" ;; esac
refused "No such file" lazy "$BIG" b3 cat "$SECRET/bin/secret"
refused "Read-only file system" lazy "$BIG" b4 touch "$BIG/x"
becomes mounts 1

step "without floxd readers go on, and without the mount's server they wait for the next one"
running "$BIG" c1
killed=$(cat "$WORLD/floxd.pid")
kill -KILL "$killed"
equal "$(inside c1 big 1)" "$(sum_of big 1)"
kill -KILL "$(server_of_mount)"
equal "$(inside c1 big 4)" "$(sum_of big 4)"

step "the next floxd finds the mount, and what is running in it"
wait_until 20 "the killed floxd's end" test ! -e "/proc/$killed/exe"
start_floxd
becomes mounts 1
becomes unfinished_closures 2
equal "$(lazy "$BIG" c2 big 1)" "$(sum_of big 1)"
equal "$(keepers | wc -l)" 1

step "a cache that is away is an error to whoever reads, and the next start says which path and why"
stop_server cache
refused "Input/output error" inside c1 sh -c "cat $BIG/share/data >/dev/null"
refused "a part of $BIG could not be read, and cannot be had now either" lazy "$BIG" d1 big 10
wait_until 30 "floxd to say so" floxd_says "get errors when they read: $BIG"
# The start of c1 was another floxd's; c2's, which has ended, had the same closure.
failure_of() { flox node starts --json | jq -r ".starts[] | select(.container_id == \"c2\") | .lazy_start.failures[] | $1"; }
equal "$(failure_of '[.path, .reads > 0, .at_ms > 0] | join(" ")')" "$BIG true true"
[ -n "$(failure_of .why)" ] || die "it does not say why it could not be read"
start_cache "$WORLD/cache"
equal "$(lazy "$BIG" d2 big 10)" "$(sum_of big 10)"
equal "$(inside c1 big 10)" "$(sum_of big 10)"

step "a container that fails because of that has the reason as its termination message, unless it has left one"
LAST=$(publish_big last)
laptop store copy --to "file://$WORLD/cache" --key "$KEY_FILE" "$LAST" >/dev/null
mkdir "$WORLD/gate"
fails_at_gate() {  # ID COMMAND: what it does once the gate is open
  : >"$WORLD/words-$1"
  chmod 666 "$WORLD/words-$1"  # as the kubelet does
  container -d --annotation "flox.dev/environment=$LAST" --annotation flox.dev/lazy=true --mount "type=bind,src=$WORLD/words-$1,dst=/dev/termination-log,options=rbind:rw" \
    --mount "type=bind,src=$WORLD/gate,dst=/gate,options=rbind:ro" docker.io/flox/empty:1.0.0 "$1" sh -c "until [ -e /gate/open ]; do sleep 0.05; done; $2"
}
fails_at_gate d3 "cat $LAST/share/data >/dev/null"
fails_at_gate d4 "cat $LAST/share/data >/dev/null || { echo my own words >/dev/termination-log; exit 1; }"
fails_at_gate d5 "cat $LAST/share/data >/dev/null; exit 0"
stop_server cache
touch "$WORLD/gate/open"
for id in d3 d4 d5; do
  wait_until 60 "the end of $id" gone "$id"
  ctr -n k8s.io task rm "$id" >/dev/null 2>&1 || true  # with its exit code
  ctr -n k8s.io container rm "$id"
done
contains "$(<"$WORLD/words-d3")" "flox: files of the environment could not be read: $LAST: "
equal "$(<"$WORLD/words-d4")" "my own words"
equal "$(<"$WORLD/words-d5")" ""
start_cache "$WORLD/cache"
equal "$(inside c1 big 10)" "$(sum_of big 10)"

step "behind its back the closure becomes whole, of what came and of the rest; the mount's copy goes, and the reader stays"
before=$(bytes_given)
stop_server floxd
FLOX_PREFETCH_RATE=0 start_floxd
wait_until 60 "the closure to be whole" is_valid "$BIG"
becomes unfinished_closures 0
is_valid "$BIG" || die "it is whole, and not valid"
is_counted() { [ "$(metric flox_lazy_whole_seconds_count)" -ge 1 ]; }
wait_until 30 "the time of its completion to be counted" is_counted
[ $(($(bytes_given) - before)) -lt 22000000 ] || die "what was there came again: $(($(bytes_given) - before)) bytes"
flox --root "$NODE_ROOT" store verify >/dev/null
no_parts() { [ -z "$(find "$NODE_ROOT/var/lib/flox/lazy" -path '*/parts/*')" ]; }
wait_until 30 "the mount's copies to go" no_parts
flox --root "$NODE_ROOT" store gc >/dev/null
is_valid "$BIG" || die "the collector took what a container runs"
for part in 0 2 3 5 6 8 9 11; do equal "$(inside c1 big $part)" "$(sum_of big $part)"; done
kill -KILL "$(server_of_mount)"
equal "$(inside c1 sha256sum "$BIG/share/data" | cut -d' ' -f1)" "$(sha256sum <"$WORLD/big/share/data" | cut -d' ' -f1)"
[ "$(inside c1 sh -c 'echo $FLOX_ENV')" = "$(container --rm --annotation "flox.dev/environment=$BIG" docker.io/flox/empty:1.0.0 e1 sh -c 'echo $FLOX_ENV')" ] ||
  die "its profile is another one"
lazily=$(metric 'flox_lazy_starts_total{result="lazy"}')
equal "$(lazy "$BIG" e2 big 0)" "$(sum_of big 0)"
equal "$(metric 'flox_lazy_starts_total{result="lazy"}')" "$lazily"
end c1

step "where that cannot be, it starts as all others do, and floxd says why"
stop_server floxd
stop_server cache
flox --root "$NODE_ROOT" store gc >/dev/null
THIRD=$(publish_big third)
laptop store copy --to "file://$WORLD/cache" --key "$KEY_FILE" "$THIRD" >/dev/null
laptop store copy --to "file://$WORLD/plain" --key "$KEY_FILE" "$THIRD" >/dev/null
sed -i '/^FloxIndex/d' "$WORLD/plain/"*.narinfo
start_cache "$WORLD/plain"
start_floxd
equal "$(lazy "$THIRD" f1 third 2)" "$(sum_of third 2)"
is_valid "$THIRD" || die "it was not fetched"
floxd_says "it has no index in any cache" || die "floxd's log does not say why"
equal "$(metric 'flox_lazy_starts_total{result="eager"}')" 1
stop_server cache
start_cache "$WORLD/cache"

step "the keeper dies: whoever has files of the mount gets an error, and the next container is on a new mount"
FOURTH=$(publish_big fourth)
laptop store copy --to "file://$WORLD/cache" --key "$KEY_FILE" "$FOURTH" >/dev/null
stop_server floxd
start_floxd
running "$FOURTH" g1
equal "$(inside g1 fourth 1)" "$(sum_of fourth 1)"
server=$(server_of_mount)
kill -KILL "$(keepers)"
wait_until 20 "the server's end" test ! -e "/proc/$server/exe"
if inside g1 cat "$FOURTH/share/data" >/dev/null 2>&1; then die "somebody answered"; fi
equal "$(lazy "$FOURTH" g2 fourth 9)" "$(sum_of fourth 9)"

step "what a start has read comes at once with the next version, whose start has not read it"
FIFTH=$(publish_big fifth)
mv "$WORLD/fifth" "$WORLD/fifth-before"
NEXT=$(publish_big fifth)
laptop store copy --to "file://$WORLD/cache" --key "$KEY_FILE" "$FIFTH" "$NEXT" >/dev/null
first=$(bytes_given)
equal "$(lazy "$FIFTH" h1 fifth 7)" "$(sum_of fifth-before 7)"
wait_until 20 "what it has read to be kept" grep -rqF --include='*.json' "$(basename "$FIFTH")" "$NODE_ROOT/var/lib/flox/lazy-profiles"
before=$(bytes_given) hits=$(metric 'flox_lazy_profiles_total{result="hit"}')
lazy "$NEXT" h2 true
equal "$(metric 'flox_lazy_profiles_total{result="hit"}')" $((hits + 1))
equal "$(last_start '.lazy_start | .has_profile, .profile_bytes > 0' | xargs)" "true true"
comes() { [ $(($(bytes_given) - before)) -gt 1000000 ]; }
wait_until 20 "the same part of the next version" comes
without=$(bytes_given)
stop_server cache
equal "$(lazy "$NEXT" h3 fifth 7)" "$(sum_of fifth 7)"
[ $((without - before)) -lt $((before - first + 2000000)) ] ||
  die "the start took $((before - first)) bytes, and what it has read $((without - before))"

step "a node without the profile takes another one's"
profile() { flox --root "$NODE_ROOT" node profile "$@"; }
KEY=$(profile list --json | jq -r '.profiles[] | select(.packages == ["fifth"]) | .key')
profile export "$KEY" >"$WORLD/fifth.profile"
# Of either version: what the last start has read may be kept by now, or not yet.
grep -qF -e "$(basename "$FIFTH")" -e "$(basename "$NEXT")" "$WORLD/fifth.profile" || die "not of that package: $(<"$WORLD/fifth.profile")"
stop_server floxd
kill -KILL "$(keepers)"
rm -r "$NODE_ROOT/var/lib/flox/lazy-profiles"
start_cache "$WORLD/cache"
start_floxd
refused "no start profile" profile export "$KEY"
echo '{' >"$WORLD/none"
refused "taking the start profile $WORLD/none" profile import "$WORLD/none"
profile import "$WORLD/fifth.profile"
lazy "$NEXT" i1 true
equal "$(last_start '.lazy_start | .has_profile, .profile_bytes > 0' | xargs)" "true true"

step "a profile that somebody has published is taken by a node that has not started the version"
(cd "$WORLD" && mkdir -p web && cd web && flox init -n web 2>/dev/null && laptop publish --store-path "$NEXT" --name fifth --version 2.0 &&
  laptop install fifth && laptop push --owner acme) >"$WORLD/logs/web.log" 2>&1 || die "$(cat "$WORLD/logs/web.log")"
# A node that knows nothing: neither files nor profiles, nor what it was answered.
forget_all() {
  stop_server floxd
  kill -KILL "$(keepers)" 2>/dev/null || true
  rm -rf "$NODE_ROOT/var/lib/flox/lazy-profiles"
  flox --root "$NODE_ROOT" store gc >/dev/null
  start_floxd
}
profile_from() { last_start '.lazy_start.profile_from'; }
forget_all
equal "$(lazy acme/web j1 fifth 7)" "$(sum_of fifth 7)"
equal "$(profile_from)" ""
flox node profile publish "$WORLD/fifth.profile" acme/web
refused "the profile is of none of the packages of environment acme/other" sh -c "
  mkdir -p '$WORLD/other' && cd '$WORLD/other' && flox init -n other 2>/dev/null; flox --root '$LAPTOP_ROOT' install hello >/dev/null 2>&1
  flox --root '$LAPTOP_ROOT' push --owner acme >/dev/null 2>&1; flox node profile publish '$WORLD/fifth.profile' acme/other"
refused "publish" env FLOX_CATALOG_TOKEN=nobodys flox node profile publish "$WORLD/fifth.profile" acme/web
forget_all
before=$(bytes_given)
lazy acme/web j2 true
equal "$(profile_from)" catalog
equal "$(metric 'flox_lazy_profiles_total{result="published"}')" 1
wait_until 20 "what the profile names" comes
stop_server cache
equal "$(lazy acme/web j3 fifth 7)" "$(sum_of fifth 7)"
start_cache "$WORLD/cache"

step "its own record of the version goes before what is published"
kept() { grep -rqF --include='*.json' "$(basename "$NEXT")" "$NODE_ROOT/var/lib/flox/lazy-profiles"; }
wait_until 20 "what the start has read to be kept" kept
stop_server floxd
kill -KILL "$(keepers)" 2>/dev/null || true
flox --root "$NODE_ROOT" store gc >/dev/null
start_floxd
equal "$(lazy acme/web k1 fifth 7)" "$(sum_of fifth 7)"
equal "$(profile_from)" node

step "whatever a profile names, nothing but what is signed is seen"
hostile() { jq -c --arg p "$(basename "$NEXT")" --arg s "$(basename "$SECRET")" "$1" <<<'{"version": 1}' >"$WORLD/hostile.profile"; }
hostile '. + {packages: [$p], paths: [{path: $p, ranges: [["../../../../etc/passwd", 0, 4096], ["share/data", 11900000, 500000000], ["share", 0, 10]]},
  {path: $s, ranges: [["share/data", 0, 5000000]]}, {path: "00000000000000000000000000000000-none", ranges: [["x", 0, 10]]}]}'
flox node profile unpublish acme/web
flox node profile publish "$WORLD/hostile.profile" acme/web
forget_all
equal "$(lazy acme/web l1 fifth 3)" "$(sum_of fifth 3)"
equal "$(profile_from)" catalog
seen=$(lazy acme/web l2 ls /nix/store)
case $seen in *secret*) die "what the profile names is visible: $seen" ;; esac
becomes mounts 1
