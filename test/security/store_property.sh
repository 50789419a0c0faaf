#!/usr/bin/env bash
# Whatever a pod asks, in whatever words, and whatever packages it names: afterwards every path of the store is what was
# registered, no other pod's profile has changed, and nothing of the host outside the store differs.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
COUNT=${COUNT:-150} SEED=${SEED:-$RANDOM}
start_catalog
publish_tool hello 1.0
publish_tool other 2.0
mkdir -p "$EVIL_CACHE" /etc/cron.d "$WORLD/trees"
evil() {  # NAME COMMAND [OPTION…]: a package whose tree the command fills; its path goes to $PATHS
  mkdir -p "$WORLD/trees/$1/share"
  (cd "$WORLD/trees/$1" && eval "$2")
  PATHS+=("$(hostile_package "$1" "$WORLD/trees/$1" "${@:3}")")
}
PATHS=()
evil activate 'ln -s /etc/cron.d activate.d; echo 1 >share/one'
evil lock 'ln -s /etc/cron.d/lock manifest.lock'
evil directory1 'ln -s /etc data; mkdir bin; echo 1 >bin/x'
evil directory2 'ln -s /etc data; ln -s ../share bin'
evil circle1 'mkdir d; ln -s . d/d; ln -s .. up'
evil circle2 'mkdir d; ln -s ../d d/d; ln -s .. up'
evil names 'mkdir -p bin; touch "bin/\$(id)" $'"'bin/a\nb'"' bin/-rf "bin/ü"; touch nix-support 2>/dev/null || true'
evil leaves 'mkdir etc; ln -s /etc/shadow etc/shadow; ln -s /proc/self/fd fd'
evil bytes 'mkdir bin; touch $'"'bin/\xff\xfe'"
for ((i = 0; i < 40; i++)); do printf 'mkdir -p %s; ' "$(printf "d%.0s/" $(seq 1 $((i + 1))))"; done >"$WORLD/deep"
evil deep1 "$(cat "$WORLD/deep")"
evil deep2 "$(cat "$WORLD/deep")"
serve_evil_cache
export FLOX_CACHES=$EVIL_CACHE_URL
start_node
start_pod evil
start_pod victim
for name in hello other; do PATHS+=("$(flox show $name --json | jq -r '.[0].outputs.out')"); done

step "a victim's profile"
LOCK_MANIFEST='{"hook": {"on-activate": "echo honest"}, "vars": {"WHO": "victim"}, "profile": {"common": "true"}}' lock_of "${PATHS[-1]}" "${PATHS[-2]}" >"$WORLD/lock"
victim=$(realise_as victim "$WORLD/lock")
PATHS+=("$victim")
snapshot() { (cd "$1" && find . -printf '%P %y %m %l\n' | sort && find . -type f -exec sha256sum {} + | sort); }
before=$(snapshot "$victim")
remember_host

step "$COUNT calls of seed $SEED"
floxd=$(cat "$WORLD/floxd.pid")
mkfifo "$WORLD/go" "$WORLD/verified"
as_pod evil "$SECURITY/store_property.py" "$WORLD/run/pod/pod.sock" "$NIX_SYSTEM" "$COUNT" "$SEED" "${PATHS[@]}" \
  <"$WORLD/go" >"$WORLD/verified" 2>"$WORLD/logs/calls.log" &
caller=$!
exec 8>"$WORLD/go" 9<"$WORLD/verified"
verified=0
while read -r _ <&9; do
  kill -0 "$floxd" || die "floxd ended: $(tail -3 "$WORLD/logs/calls.log")"
  verify_store
  [ "$(snapshot "$victim")" = "$before" ] || die "the victim's profile changed: $(tail -30 "$WORLD/logs/calls.log")"
  host_unchanged "$(tail -1 "$WORLD/logs/calls.log")"
  verified=$((verified + 1))
  echo >&8
done
wait $caller || die "seed $SEED: $(tail -3 "$WORLD/logs/calls.log")"
[ $verified -gt 0 ] || die "no call was verified"
step "$verified times the store was verified; $(grep -c "[\"']ok " "$WORLD/logs/calls.log") calls were answered, the others refused"
refusals=$(grep -v "[\"']ok " "$WORLD/logs/calls.log" || true)
case $refusals in *json.exception* | *bad_alloc* | *terminate*) die "a raw exception: $(grep -m3 'exception\|bad_alloc\|terminate' "$WORLD/logs/calls.log")" ;; esac
[ ! -e /owned-by-hook ] && [ ! -e /owned-by-profile ] || die "a hook ran on the host"
