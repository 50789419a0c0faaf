#!/usr/bin/env bash
# Our shim against containerd-shim-runc-v2, under the same containerd, in alternating runs: memory, the time of
# `ctr run --rm` and `ctr task exec`, the shim's own share of it, and 50 pods over CRI at once. Medians, the ratio
# (below 1: we need less), and the floor: what the OCI runtime alone takes for the same.
#   bench/shim.sh [PART…]   memory share run exec pods floor; all if none is named.   RUNS=30 for each median
. "$(dirname "$0")/../test/shim/support.sh"
RUNS=${RUNS:-30}
OURS=$BUILD_DIR/bin/containerd-shim-flox-v1 STOCK=io.containerd.runc.v2
CTR=$(type -P ctr)

# crun refuses hybrid cgroups; without the v2 tree they are plain v1, for every runtime measured here.
umount /sys/fs/cgroup/unified 2>/dev/null || true
stop_server containerd
start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
wait_until 20 "containerd to answer" ctr version
for runtime in runc crun; do printf 'BinaryName = "%s"\n' $runtime >"$WORLD/$runtime.toml"; done

microseconds() {  # COMMAND…: how long it took
  "$BUILD_DIR/bench/stopwatch" "$WORLD/logs/bench.log" "$@" || { cat "$WORLD/logs/bench.log" >&2; die "failed: $*"; }
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# compare WHAT UNIT OURS STOCK [TARGET]: a line with both figures and their ratio
compare() {
  awk -v what="$1" -v unit="$2" -v a="$3" -v b="$4" -v target="${5:-}" 'BEGIN {
    printf "%-58s %8.4g %8.4g %s  ratio %.2f%s\n", what, a, b, unit, a / b, target == "" ? "" : "  (target " target ")" }'
}
ms() { awk -v us="$1" 'BEGIN { printf "%.1f", us / 1000 }'; }

# runtime_of NAME: the options of ctr for ours with runc, ours with crun, and the stock shim (with runc)
runtime_of() {
  case $1 in
    runc | crun) echo "--runtime $OURS --runtime-config-path $WORLD/$1.toml" ;;
    stock) echo "--runtime $STOCK" ;;
  esac
}
# shellcheck disable=SC2046
start_idle() { "$CTR" run -d $(runtime_of "$1") --rootfs "$ROOTFS" "$2" /bin/sleep 100000 </dev/null; }

# --- memory

measure_memory() {
  memory_of() {  # FIELD: of every shim that runs, kB, the median
    local pid
    for pid in $(shims); do awk -v field="$1:" '$1 == field { print $2 }' "/proc/$pid/smaps_rollup"; done >"$WORLD/memory"
    median "$WORLD/memory"
  }
  threads() {
    local pid
    for pid in $(shims); do awk '$1 == "Threads:" { print $2 }' "/proc/$pid/status"; done >"$WORLD/memory"
    median "$WORLD/memory"
  }
  for kind in runc stock; do
    start_idle $kind one
    sleep 5  # idle is who has had nothing to do for a while
    declare alone_$kind="$(memory_of Pss)"
    for i in 1 2 3 4 5 6 7 8 9; do start_idle $kind "more$i"; done
    sleep 5
    declare pss_$kind="$(memory_of Pss)" dirty_$kind="$(memory_of Private_Dirty)" threads_$kind="$(threads)"
    for name in one more{1..9}; do end_container $name; done
  done
  compare "memory (PSS) of one idle shim" kB "$alone_runc" "$alone_stock"
  compare "memory (PSS) of each of ten idle shims" kB "$pss_runc" "$pss_stock" "400 kB"
  compare "private dirty memory of each" kB "$dirty_runc" "$dirty_stock" "300 kB"
  compare "threads" "" "$threads_runc" "$threads_stock" "2"
  compare "size of the program" kB $(($(stat -c %s "$OURS") / 1024)) \
    $(($(stat -Lc %s "$(type -P containerd-shim-runc-v2)") / 1024)) "4000 kB"
}

# --- the shim's own share: start, delete and the RPCs of one container's life

measure_share() {
  # cpu_of PID: processor time of a process's threads, without its children, microseconds
  cpu_of() { cat "/proc/$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d", sum / 1000 }'; }
  EXECS=200
  for kind in runc stock; do
    shim=$OURS
    [ $kind = runc ] || shim=$(type -P containerd-shim-runc-v2)
    export TTRPC_ADDRESS=$CONTAINERD_ADDRESS.ttrpc
    flags=(-namespace share -address "$CONTAINERD_ADDRESS" -publish-binary "$(type -P containerd)")
    for ((run = 0; run < RUNS; run++)); do
      bundle=$WORLD/share/$kind$run
      mkdir -p "$bundle/rootfs"
      cd "$bundle"
      echo '{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["x"],"cwd":"/"}}' >config.json
      mkfifo log
      microseconds "$shim" "${flags[@]}" -id $kind$run start >>"$WORLD/$kind.start"
      pkill -f -- "-namespace share -id $kind$run" || true
      printf runc >runtime
      microseconds "$shim" "${flags[@]}" -id $kind$run -bundle "$bundle" delete >>"$WORLD/$kind.delete"
      cd /
      rm -rf "$bundle"
    done
    start_idle $kind busy
    pid=$(shims)
    before=$(cpu_of "$pid")
    for ((run = 0; run < EXECS; run++)); do "$CTR" task exec --exec-id x busy /bin/true </dev/null; done
    # One exec is about as many calls as the life of one container.
    declare rpc_$kind=$((($(cpu_of "$pid") - before) / EXECS))
    end_container busy
    declare share_$kind=$(($(median "$WORLD/$kind.start") + $(median "$WORLD/$kind.delete") + rpc_$kind))
  done
  compare "shim's own share of a container: start" ms "$(ms "$(median "$WORLD/runc.start")")" "$(ms "$(median "$WORLD/stock.start")")"
  compare "  delete" ms "$(ms "$(median "$WORLD/runc.delete")")" "$(ms "$(median "$WORLD/stock.delete")")"
  compare "  processor time of the calls" ms "$(ms "$rpc_runc")" "$(ms "$rpc_stock")"
  compare "  together" ms "$(ms "$share_runc")" "$(ms "$share_stock")" 0.20
}

# --- ctr run --rm

measure_run() {
  # shellcheck disable=SC2046
  run_once() { microseconds "$CTR" run --rm $(runtime_of "$1") --rootfs "$ROOTFS" "run$run" /bin/true; }
  for ((run = 0; run < RUNS; run++)); do
    for kind in runc stock crun; do run_once $kind >>"$WORLD/$kind.run"; done
  done
  compare "ctr run --rm, runc under both" ms "$(ms "$(median "$WORLD/runc.run")")" "$(ms "$(median "$WORLD/stock.run")")" 0.88
  compare "ctr run --rm, ours with crun, stock with runc" ms "$(ms "$(median "$WORLD/crun.run")")" "$(ms "$(median "$WORLD/stock.run")")" 0.75
}

# --- ctr task exec

measure_exec() {
  for kind in runc stock crun; do start_idle $kind exec-$kind; done
  for ((run = 0; run < RUNS; run++)); do
    for kind in runc stock crun; do
      microseconds "$CTR" task exec --exec-id x$run exec-$kind /bin/true >>"$WORLD/$kind.exec"
    done
  done
  for kind in runc stock crun; do end_container exec-$kind; done
  compare "ctr task exec, runc under both" ms "$(ms "$(median "$WORLD/runc.exec")")" "$(ms "$(median "$WORLD/stock.exec")")"
  compare "ctr task exec, ours with crun, stock with runc" ms "$(ms "$(median "$WORLD/crun.exec")")" "$(ms "$(median "$WORLD/stock.exec")")" 0.75
}

# --- 50 pods over CRI

measure_pods() {
  import_images
  pods() { in_net "$BUILD_DIR/bench/cri_pods" "$CONTAINERD_ADDRESS" "$1" 50 flox.dev/pause:1.0.0 "$CGROUP_PARENT" /pause; }
  for run in 1 2 3 4 5; do
    for handler in flox runc; do pods $handler >>"$WORLD/$handler.pods"; done
  done
  compare "50 pods at once over CRI (median of 5)" ms "$(median "$WORLD/flox.pods")" "$(median "$WORLD/runc.pods")" 0.80
}

# --- the floor

measure_floor() {
  mkdir -p "$WORLD/floor"
  cd "$WORLD/floor"
  runc spec
  jq --arg root "$ROOTFS" '.root.path = $root | .process.terminal = false | .process.args = ["/bin/true"]' config.json >once.json
  jq '.process.args = ["/bin/sleep", "100000"]' once.json >idle.json
  jq '.process | .args = ["/bin/true"]' once.json >process.json
  for runtime in runc crun; do
    cp once.json config.json
    for ((run = 0; run < RUNS; run++)); do
      microseconds $runtime --root "$WORLD/state" create --pid-file pid $runtime$run >>"$WORLD/$runtime.create"
      microseconds $runtime --root "$WORLD/state" start $runtime$run >>"$WORLD/$runtime.started"
      sleep 0.02
      microseconds $runtime --root "$WORLD/state" delete --force $runtime$run >>"$WORLD/$runtime.removed"
    done
    cp idle.json config.json
    microseconds $runtime --root "$WORLD/state" create --pid-file pid idle >/dev/null
    microseconds $runtime --root "$WORLD/state" start idle >/dev/null
    for ((run = 0; run < RUNS; run++)); do
      microseconds $runtime --root "$WORLD/state" exec --process process.json --detach --pid-file pid idle >>"$WORLD/$runtime.execs"
    done
    microseconds $runtime --root "$WORLD/state" delete --force idle >/dev/null
    printf 'floor: %s alone: create %s ms, start %s ms, delete %s ms, exec %s ms\n' $runtime \
      "$(ms "$(median "$WORLD/$runtime.create")")" "$(ms "$(median "$WORLD/$runtime.started")")" \
      "$(ms "$(median "$WORLD/$runtime.removed")")" "$(ms "$(median "$WORLD/$runtime.execs")")"
  done
  for ((run = 0; run < RUNS; run++)); do microseconds "$CTR" version >>"$WORLD/client"; done
  printf 'floor: the client alone (ctr version) %s ms\n' "$(ms "$(median "$WORLD/client")")"
}

[ $# != 0 ] || set -- memory share run exec pods floor
printf '%-58s %8s %8s\n' '' ours stock
for part in "$@"; do measure_"$part"; done
