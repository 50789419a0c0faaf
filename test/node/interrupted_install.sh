#!/usr/bin/env bash
# flox node install and uninstall that are killed at the calls of the system by which they change something, and installations
# on a disk that is full from such a call on: a file is the one of before or the new one, whole; the next installation ends what
# was begun, and says what has to be restarted; uninstalling gives back every file. Two at once do what one does.
#   FAULT_STEP=1 test/node/interrupted_install.sh    at every call instead of some of them
# ctest: TIMEOUT 900
# ctest: COST 120
. "$(dirname "$0")/../store/support.sh"
NODE=$WORK/node-root
cc -O1 -o "$WORK/at_call" "$PROJECT/test/at_call.c"
mkdir -p "$NODE/etc/containerd" "$NODE/usr/local/bin"
printf 'version = 2\n# this machine has a comment\n' >"$NODE/etc/containerd/config.toml"
echo 'a flox of before' >"$NODE/usr/local/bin/flox"
chmod 700 "$NODE/usr/local/bin/flox"

install=(flox node install --target "$NODE" --no-service --catalog-url http://127.0.0.1:1 --allow-unsigned)
uninstall=(flox node uninstall --target "$NODE")
# Every file and directory that is not the store's, with mode and content. What is drawn by lot, and the record of it, have none here.
files() {
  (
    cd "$NODE" && find . -path ./nix -prune -o -printf '%p %y %m\n' -type f ! -name registry.key ! -path '*/flox.local/hosts.toml' \
      ! -name installation.json -exec sha256sum {} + | sort
  )
}
same() { diff <(echo "$1") <(files) || die "$2: files differ"; }
# The contents that files have: each is one of before or one of after. Under a name of its own (.NAME.new) one may be left.
whole() {
  local unknown
  unknown=$(comm -13 <(printf '%s\n%s\n' "$BEFORE" "$AFTER" | grep -E '^[0-9a-f]{64} ' | sort -u) <(files | grep -E '^[0-9a-f]{64} ' | grep -v -e /var/lib/flox/node/ -e '/[.][^/]*[.]new$' | sort))
  [ -z "$unknown" ] || die "$1: these are neither of before nor new: $unknown"
}
at_call() { "$WORK/at_call" "$WORK/report" "$@"; }
calls() { sed -n 's/^calls //p' "$WORK/report"; }

step "a whole installation, and back"
"${install[@]}" >/dev/null  # the store has its closure now: what comes is about the node's files
"${uninstall[@]}" >/dev/null
BEFORE=$(files)
at_call count 0 "${install[@]}" >/dev/null
installing=$(calls)
AFTER=$(files)
grep -q 'unfinished": false' "$NODE/var/lib/flox/node/installation.json" || die "the installation says that it is unfinished"
at_call count 0 "${uninstall[@]}" >/dev/null
uninstalling=$(calls)
same "$BEFORE" uninstall
# Most of the calls make the runtime's closure; the files are written by the last ones.
FIRST=${FAULT_STEP:-$((installing - 800))} STEP_IN=${FAULT_STEP:-115} STEP_OUT=${FAULT_STEP:-$((uninstalling / 4))}

step "installing, killed at some of $installing calls: gone on with, or taken back"
killed=0 unfinished=0
for ((call = FIRST; call <= installing; call += STEP_IN)); do
  at_call kill $call "${install[@]}" >/dev/null 2>&1 && die "call $call: it was not killed"
  killed=$((killed + 1))
  whole "killed at call $call"
  if [ -e "$NODE/var/lib/flox/node/installation.json" ]; then unfinished=$((unfinished + 1)); fi
  if [ $((killed % 2)) = 0 ]; then
    said=$("${install[@]}")
    contains "$said" "The node is set up"
    same "$AFTER" "installed again after call $call"
    contains "$("${install[@]}")" "nothing had to change"
  fi
  "${uninstall[@]}" --if-installed >/dev/null
  same "$BEFORE" "uninstalled after call $call"
done
[ $unfinished -gt 2 ] || die "only $unfinished of $killed kills came after the record: the test says little"

step "installing on a disk that is full at some of them: not at all"
failed=0
at_call fail=ENOSPC 1000000 "${install[@]}" >/dev/null  # none of them: of those calls that a full disk fails there are fewer
writing=$(calls)
"${uninstall[@]}" >/dev/null
for ((call = writing - 160; call <= writing; call += ${FAULT_STEP:-32})); do
  if at_call fail=ENOSPC $call "${install[@]}" >"$WORK/said" 2>&1; then
    same "$AFTER" "it went well without call $call"
    "${uninstall[@]}" >/dev/null
  else
    failed=$((failed + 1))
    contains "$(cat "$WORK/said")" "o space left on device"
    "${uninstall[@]}" --if-installed >/dev/null
  fi
  same "$BEFORE" "a full disk at call $call"
done
[ $failed -gt 3 ] || die "only $failed of them failed"

step "an installed node whose new version is killed at some of them"
"${install[@]}" >/dev/null
newer=("${install[@]}" --trusted-key "$(flox store keygen newer-1 --out "$WORK/newer.key")" --default-runtime)
for ((call = FIRST; call <= installing; call += 2 * STEP_IN)); do
  at_call kill $call "${newer[@]}" >/dev/null 2>&1 || true
  "${uninstall[@]}" >/dev/null  # without --force: no file of ours is taken for somebody else's
  same "$BEFORE" "uninstalled after call $call of another installation"
  "${install[@]}" >/dev/null
done

step "uninstalling, killed at some of $uninstalling calls"
for ((call = 1; call <= uninstalling; call += STEP_OUT)); do
  at_call kill $call "${uninstall[@]}" >/dev/null 2>&1 && die "call $call: it was not killed"
  whole "killed at call $call"
  "${uninstall[@]}" --if-installed >/dev/null
  same "$BEFORE" "uninstalled again after call $call"
  "${install[@]}" >/dev/null
done
"${uninstall[@]}" >/dev/null

step "two at once"
MEANWHILE="$(printf '%q ' "${install[@]}") >$WORK/second 2>&1" MEANWHILE_WAIT=1500 at_call meanwhile $((installing / 2)) "${install[@]}" >/dev/null
contains "$(cat "$WORK/second")" "waiting until it has ended"
ended() { grep -q "nothing had to change" "$WORK/second"; }
wait_until 30 "the second to end" ended
same "$AFTER" "two installations"
"${uninstall[@]}" >/dev/null
same "$BEFORE" "uninstalled after two"
