#!/usr/bin/env bash
# flox trust, ended at every point: each system call that changes or brings something to the disk fails or kills, which of the two
# is another one in each run. What is there then is what was there before or what was to be there, whole; nothing waits; and the same
# command ends it.
#   FAULT_OFFSET=0|1         as an earlier run has printed
#   FLOX_TEST_EXHAUSTIVE=1   each fails, and each kills
# builds: flox
. "$(dirname "$0")/support.sh"
command -v strace >/dev/null || { echo "strace is not installed"; exit 77; }
flox=$(command -v flox)
export FLOX_TRUST_DIR=$WORK/now/trust FLOX_TRUST_STATE_DIR=$WORK/now/state
umask 077
for name in alice bob catalog; do flox store keygen $name-1 --out "$WORK/$name" >"$WORK/$name.pub"; done
calls=write,pwrite64,fsync,fdatasync,fchmod,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,symlinkat,flock

# What is in force, of both files and the keys by their roles; "none" without an owner.
state() {
  flox trust show acme --json 2>/dev/null | jq -c '[.trusted, .root.version, .targets.version, (.pending | length), [.roles[] | {role, threshold, keys: [.keys[].name]}]]' || echo none
}
restore() { rm -rf "$WORK/now"; cp -a "$WORK/before" "$WORK/now"; }
# Every key that a role of the owner's own names is one that can sign: else the owner could never change anything again.
complete() { flox trust renew acme >"$WORK/said" 2>&1 && ! grep -q lacks "$WORK/said" || die "$1: the owner cannot go on: $(cat "$WORK/said")"; }
runs=0
faults=(error=EIO signal=KILL)
FAULT_OFFSET=${FAULT_OFFSET:-$((RANDOM % 2))}
exhaustive || step "FAULT_OFFSET=$FAULT_OFFSET"
# at_every_point NAME ALREADY COMMAND…: ALREADY is what the command may say if it had been done before it was ended.
at_every_point() {
  local name=$1 already=$2 call count n fault before after now
  shift 2
  restore
  before=$(state)
  strace -f -qq -o "$WORK/trace" -e trace=$calls "$flox" "$@" >/dev/null 2>"$WORK/said" || die "$name: $(cat "$WORK/said")"
  after=$(state)
  [ "$after" != "$before" ] || die "$name changes nothing"
  for call in ${calls//,/ }; do
    count=$(grep -cE "^[0-9]+ +$call\(" "$WORK/trace" || true)
    for ((n = 1; n <= count; n++)); do
      for fault in "${faults[@]}"; do
        exhaustive || [ "$fault" = "${faults[(n + FAULT_OFFSET) % 2]}" ] || continue
        restore
        # In a shell of its own, which says that it was killed.
        sh -c '"$@"; exit 0' - strace -f -qq -o "$WORK/injected" -e trace=$call -e inject=$call:$fault:when=$n "$flox" "$@" >/dev/null 2>"$WORK/said" || true
        runs=$((runs + 1))
        now=$(state)
        [ "$now" = "$before" ] || [ "$now" = "$after" ] || die "$name, $call $n, $fault: neither before nor after: $now"
        if ! "$flox" "$@" >"$WORK/said" 2>&1; then
          [ "$now" = "$after" ] && grep -q "$already" "$WORK/said" || die "$name, $call $n, $fault: once more: $(cat "$WORK/said")"
        fi
        complete "$name, $call $n, $fault"
        [ -z "$(find "$FLOX_TRUST_DIR" -maxdepth 1 -name '.*.new-*')" ] || die "$name, $call $n, $fault: a directory was left"
      done
    done
  done
}

step "init"
mkdir -p "$WORK/before"
at_every_point init "already" trust init acme --signing-key "$WORK/alice.pub" --catalog-key "$WORK/catalog.pub"
restore
flox trust init acme --signing-key "$WORK/alice.pub" --catalog-key "$WORK/catalog.pub" >"$WORK/said" 2>&1
rm -rf "$WORK/before" && cp -a "$WORK/now" "$WORK/before"

step "add-key"
at_every_point add-key "already" trust add-key acme web "$WORK/bob.pub" --paths 'web-*'

step "rotate root, with a new key that is made and kept here"
at_every_point rotate-root "nothing" trust rotate acme root

step "rotate targets: two files and a new key"
at_every_point rotate-targets "nothing" trust rotate acme targets

step "renew: two files"
at_every_point renew "nothing" trust renew acme

step "revoke"
restore
flox trust add-key acme web "$WORK/bob.pub" --paths 'web-*' 2>"$WORK/said"
rm -rf "$WORK/before" && cp -a "$WORK/now" "$WORK/before"
at_every_point revoke "Name one of" trust revoke acme bob-1

step "accept, on a node"
roots=$WORK/roots
cp -a "$WORK/now/trust/acme/repository" "$roots"
rm -rf "$WORK/before"
mkdir "$WORK/before"
complete() { equal "$(state | jq '.[0]')" true; }
at_every_point accept "nothing" trust accept acme "$roots/1.root.json" --packages 'acme-*'
echo "$runs runs were ended"
[ $runs -gt 100 ] || die "only $runs points were tried"
