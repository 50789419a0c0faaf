# What the scripts share: where the project is, one line a step. Sourced, never run.
set -euo pipefail
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PROJECT
BUILD_DIR=${FLOX_BUILD_DIR:-$PROJECT/build}
export PATH="$BUILD_DIR/bin:$PATH"
# Where python3 is a script that looks for Python at each start (pyenv's), which takes longer than what is started, look once.
if [ "$(head -c 2 "$(type -P python3 || echo /dev/null)")" = "#!" ]; then
  PATH=$(dirname "$(python3 -c 'import sys; print(sys.executable)')"):$PATH
fi
# A clone elsewhere on the machine finds what another one has compiled. What must be compiled is not preprocessed before.
export CCACHE_BASEDIR=$PROJECT CCACHE_NOHASHDIR=true CCACHE_DEPEND=true

# step TEXT: says what happens next, with the seconds since the script began.
step() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
die() {
  printf '✘ ERROR: %s\n' "$*" >&2
  exit 1
}
# Waits state the seconds that are far more than enough on a quiet machine. They end with what they wait for, so that only a
# failure takes the time; it may take this many times as long on a machine that is slow, emulated, or has much else to do.
PATIENCE=${FLOX_TEST_PATIENCE:-6}
# wait_until SECONDS DESCRIPTION COMMAND…: polls; a failure says what was waited for, and what show_trouble shows, if there is one.
wait_until() { wait_for_process '' "$@"; }
# wait_for_process PID SECONDS DESCRIPTION COMMAND…: the same of what that process is to do; its end is a failure at once.
# What it runs sees its local variables in place of the script's own of that name: hence theirs, which no script has. It asks at
# first every twentieth of a second, then at every tenth of the time that has passed, at least twice a second: what it waits for
# needs the processor, too, and kubectl takes much of it.
wait_for_process() {
  local wait_pid=$1 wait_limit=$(($2 * PATIENCE)) wait_what=$3 wait_end wait_why= wait_began wait_pause
  shift 3
  wait_end=$((SECONDS + wait_limit)) wait_began=${EPOCHREALTIME/[.,]/}  # microseconds
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $wait_end ] || wait_why="waited $wait_limit s in vain for $wait_what"
    [ -z "$wait_pid" ] || kill -0 "$wait_pid" 2>/dev/null || wait_why="$wait_what: the process has ended"
    [ -z "$wait_why" ] || { ! declare -F show_trouble >/dev/null || show_trouble; die "$wait_why"; }
    wait_pause=$(((${EPOCHREALTIME/[.,]/} - wait_began) / 10))
    wait_pause=$((wait_pause < 50000 ? 50000 : wait_pause < 500000 ? wait_pause : 500000))
    printf -v wait_pause '0.%06d' "$wait_pause"
    sleep "$wait_pause"
  done
}
# Some tests try thousands of cases, or run others again under another daemon or kernel: a chosen part of it, or with
# FLOX_TEST_EXHAUSTIVE=1 everything.
exhaustive() { [ -n "${FLOX_TEST_EXHAUSTIVE:-}" ]; }
# Where temporary files go that are many, or synced often: into memory, if there is enough of it.
memory_place() {
  if [ -w /dev/shm ] && [ "$(df --output=avail -m /dev/shm | tail -1)" -gt 2048 ]; then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi
}
# grepq PATTERN…: grep -q behind a pipe. That ends as soon as it has found something, and pipefail then takes the end of the program
# before it, whose pipe is gone, for a failure.
grepq() { grep "$@" >/dev/null; }
# A TCP port of loopback that nobody listens at now.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
need_root() { [ "$(id -u)" = 0 ] || die "$(basename "$0") needs root: it installs packages and starts containers. Run it with sudo."; }
