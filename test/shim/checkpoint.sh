#!/usr/bin/env bash
# A container is saved to disk, goes on or ends, and is restored where it was. Needs criu and a kernel that it knows; without
# one, what it says is what the caller hears.
. "$(dirname "$0")/support.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || skip "asks our shim without containerd between"
# Debian's crun has no checkpoints: the containers here are runc's, whatever the shim would prefer.
printf 'BinaryName = "runc"\n' >"$WORLD/runc.toml"
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE
call() { timeout 120 "$PROJECT/test/shim/task_call.py" "$(sed 's|^unix://||' "$bundle/counter/address")" "$@"; }
count='i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done'
counted() { cat "$ROOTFS/tmp/count" 2>/dev/null || echo 0; }
beyond() { [ "$(counted)" -gt "$1" ] 2>/dev/null; }
run_container -d --runtime-config-path "$WORLD/runc.toml" counter sh -c "$count"
wait_until 30 "the container to count" beyond 2

step "a checkpoint that fails says why, and the container goes on"
answer=$(PATH=/nowhere:$PATH call Checkpoint id=counter path=/dev/null/impossible)
[[ $answer == Unknown:* ]] || die "expected a refusal, got: $answer"
at=$(counted)
wait_until 30 "the container to go on" beyond "$at"

if ! criu check >"$WORLD/criu.log" 2>&1; then
  end_container counter
  expect_nothing_left
  skip "needs a criu that works with this kernel: $(grep -m1 Error "$WORLD/criu.log" || echo "criu is not installed")"
fi

step "a checkpoint of a container that goes on"
mkdir -p "$WORLD/image"
equal "$(call Checkpoint id=counter path="$WORLD/image")" ok
at=$(counted)
wait_until 30 "the container to go on" beyond "$at"
ls "$WORLD/image" | grepq pages || die "there is no image: $(ls "$WORLD/image")"

step "restored, it goes on where it was saved"
mkdir -p "$WORLD/restored"
jq --arg root "$ROOTFS" '.root.path = $root | .linux.cgroupsPath += "-restored"' "$bundle/counter/config.json" >"$WORLD/restored/config.json"
saved=$at
call Kill id=counter signal=9 all=1 >/dev/null
call Wait id=counter >/dev/null
echo 0 >"$ROOTFS/tmp/count"
contains "$(call Create id=again bundle="$WORLD/restored" binary=runc checkpoint="$WORLD/image")" ok
contains "$(call State id=again)" "4=1"  # created: restored by Start
contains "$(call Start id=again)" "ok 1="
wait_until 30 "it to count on" beyond $((saved - 20 > 0 ? saved - 20 : 0))
equal "$(call Kill id=again signal=9 all=1)" ok
contains "$(call Wait id=again)" "1=137"
contains "$(call Delete id=again)" "2=137"
end_container counter
expect_nothing_left
