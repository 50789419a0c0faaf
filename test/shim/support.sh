# What the tests of the shim share: a world with containerd, a root directory with a shell in it, and containers
# started through ctr. Sourced first by every test, never run.
#   FLOX_TEST_SHIM=io.containerd.runc.v2 runs the tests against the reference shim, where they apply.
#   FLOX_TEST_OCI_RUNTIME=runc|crun makes the shim run that OCI runtime and not the one that it prefers here.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root: starts containers"
enter_world "$@"
SHIM=${FLOX_TEST_SHIM:-$BUILD_DIR/bin/containerd-shim-flox-v1}
reference() { [ -n "${FLOX_TEST_SHIM:-}" ]; }
# or_reference TEXT TEXT: the second one with the reference shim, where that answers something else.
or_reference() { if reference; then echo "$2"; else echo "$1"; fi; }
# containerd's namespace names the parent of the containers' cgroups: the world's end removes it.
export CONTAINERD_NAMESPACE=${CGROUP_PARENT#/}

# Where shims make the sockets of terminals: in /tmp those of tests at the same time would be among them.
export XDG_RUNTIME_DIR=$WORLD/runtime
mkdir -p -m 700 "$XDG_RUNTIME_DIR"

ROOTFS=$WORLD/rootfs
mkdir -p "$ROOTFS"/{bin,tmp,proc,dev,sys}
cp "$(command -v busybox)" "$ROOTFS/bin/busybox"
"$ROOTFS/bin/busybox" --install "$ROOTFS/bin"  # hard links, by one process: an emulated machine starts one in 10 ms

# choose_runtime: $RUNTIME_OPTIONS are the options of ctr that choose shim and OCI runtime.
choose_runtime() {
  RUNTIME_OPTIONS=(--runtime "$SHIM")
  [ -n "${FLOX_TEST_OCI_RUNTIME:-}" ] || return 0
  command -v "$FLOX_TEST_OCI_RUNTIME" >/dev/null || skip "needs $FLOX_TEST_OCI_RUNTIME"
  if [ "$SHIM" = io.containerd.runc.v2 ]; then
    RUNTIME_OPTIONS+=(--runc-binary "$FLOX_TEST_OCI_RUNTIME")
  else  # ctr takes --runc-binary for no other shim
    echo "BinaryName = \"$FLOX_TEST_OCI_RUNTIME\"" >"$WORLD/runtime.toml"
    RUNTIME_OPTIONS+=(--runtime-config-path "$WORLD/runtime.toml")
  fi
}
choose_runtime

# ctr never hangs a test. (It passes SIGTERM on to the container.)
ctr() { timeout --signal=KILL "${CTR_LIMIT:-60}" "$(type -P ctr)" "$@"; }
# run_container OPTIONS… NAME COMMAND…
run_container() {
  local options=()
  while [[ $1 == -* ]]; do
    options+=("$1")
    case $1 in --rm | -d | -t | --*=*) shift ;; *) options+=("$2"); shift 2 ;; esac
  done
  ctr run "${RUNTIME_OPTIONS[@]}" --env PATH=/bin "${options[@]}" --rootfs "$ROOTFS" "$@" </dev/null
}
# refused_program NAME COMMAND…: the OCI runtime must find no such program. Each has its own words for that.
refused_program() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then die "should have been refused: $*"; fi
  grep -qE "\"$name\": executable file not found in .PATH|executable file .$name. not found in .PATH" <<<"$output" ||
    die "$*: the message does not say that $name is not found: $output"
}
# code COMMAND…: its exit code on stdout, its output dropped.
code() { local code=0; "$@" >/dev/null 2>&1 || code=$?; echo $code; }
# exit_code_of NAME: deletes the stopped task; the code that it ended with.
exit_code_of() {
  local said
  said=$(ctr task delete "$1" 2>&1) || die "deleting $1: $said"
  sed -n 's/.*exit code \([0-9]*\).*/\1/p' <<<"$said" | grep . || echo 0
}
task_status() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
task_pid() { ctr task ls | awk -v id="$1" '$1 == id { print $2 }'; }
is_status() { [ "$(task_status "$1")" = "$2" ]; }
# end_container NAME: kills what runs and removes the container.
end_container() {
  ctr task kill --signal KILL "$1" >/dev/null 2>&1 || true
  wait_until 10 "$1 to stop" is_status "$1" STOPPED
  ctr task delete "$1" >/dev/null 2>&1 || true
  ctr container delete "$1"
}
# call ID METHOD FIELD=VALUE…: asks the shim of a container, without containerd between (task_call.py).
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE
socket_of() { sed 's|^unix://||' "$bundle/$1/address"; }
call() { timeout 60 "$PROJECT/test/shim/task_call.py" "$(socket_of "$1")" "${@:2}"; }
shims() { pgrep -f "containerd-shim.* -namespace $CONTAINERD_NAMESPACE " || true; }

# The reference leaves the sockets of shims that were killed; the next start of the same id replaces them.
forget_sockets_of_reference() { ! reference || rm -f /run/containerd/s/* /run/flox-shims/*; }

# What containers leave behind, one a line: processes, sockets, directories, mounts, cgroups.
leftovers() {
  local pid
  for pid in $(shims); do ps -o pid=,args= -p "$pid"; done
  find /run/containerd/s /run/flox-shims "/run/containerd/runc/$CONTAINERD_NAMESPACE" -mindepth 1 -maxdepth 1 2>/dev/null
  find "$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE" -mindepth 1 -maxdepth 1 2>/dev/null
  find "$XDG_RUNTIME_DIR" -mindepth 1 -maxdepth 1 -name 'pty*'
  grep "io.containerd.runtime.v2.task" /proc/self/mounts
  local cgroup
  for cgroup in $(cgroup_directories "$CGROUP_PARENT"); do find "$cgroup" -mindepth 1 -type d; done 2>/dev/null
  true
}
nothing_left() { [ -z "$(leftovers)" ]; }
expect_nothing_left() {
  local end=$((SECONDS + 10 * PATIENCE))
  until nothing_left; do
    [ $SECONDS -lt $end ] || die "the containers left something behind: $(leftovers)"
    sleep 0.1
  done
}

# record_events: containerd's events go to $EVENTS from now on.
record_events() {
  EVENTS=$(mktemp "$WORLD/events-XXXXXX")
  "$(type -P ctr)" events >"$EVENTS" 2>/dev/null &
  local n=0
  event_arrives() { n=$((n + 1)); ctr namespaces label "$CONTAINERD_NAMESPACE" probe=$n; [ -s "$EVENTS" ]; }
  wait_until 10 "events to arrive" event_arrives
}
# events_of NAME: the topics of a container's task events, in order, with the exec's id behind the exec's own.
events_of() {
  grep -F "\"$1\"" "$EVENTS" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ "^/tasks/") { topic = $i; sub("/tasks/", "", topic); print topic } }' | xargs
}
event_seen() { grep -F "/tasks/$2" "$EVENTS" | grepq -F "\"$1\""; }

ctr_ready() { ctr version; }
start_containerd
ctr namespaces create "$CONTAINERD_NAMESPACE"
