#!/usr/bin/env bash
# The tests of this folder against the reference, io.containerd.runc.v2: what we expect of our shim is what it does. Parts
# that do not apply say so; where the reference does worse, the tests say that too. On a busy machine the reference now and then
# loses the last bytes that a process writes: what it does once in three tries it does. Our shim has one try, in its own tests.
# What shims do when they are killed, when there are many, or when their disk is full: with FLOX_TEST_EXHAUSTIVE=1.
. "$(dirname "$0")/../lib.sh"
export FLOX_TEST_SHIM=io.containerd.runc.v2 CONTAINERS=40
for test in "$PROJECT"/test/shim/*.sh; do
  name=$(basename "$test" .sh)
  [ -x "$test" ] || continue  # sourced by others
  case $name in
    reference) continue ;;
    containerd2 | conformance | cri_conformance) continue ;;  # compare both shims themselves
    *_on_cgroup2) continue ;;  # emulated, and slow
    crashes | crowd | faults | faulty_runtime | floxd_faults | leaks) exhaustive || continue ;;
  esac
  log=$(mktemp)
  for try in 1 2 3; do
    code=0
    "$test" >"$log" 2>&1 </dev/null || code=$?
    case $code in 0 | 77) break ;; esac
    step "the reference did otherwise, at try $try: $name: $(tail -1 "$log")"
  done
  case $code in
    0) step "the reference agrees: $name" ;;
    77) step "does not apply: $name: $(tail -1 "$log")" ;;
    *) cat "$log" >&2; die "the reference does not do what test/shim/$name.sh expects" ;;
  esac
  rm -f "$log"
done
