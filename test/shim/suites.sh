# What the tests against other people's suites share. Sourced before support.sh, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# need_containerd2: $FLOX_TEST_CONTAINERD is the directory of containerd 2.x and the suites; skips the test where they
# cannot be had. Before the world is entered: its home has no modules.
need_containerd2() {
  [ -z "${FLOX_TEST_CONTAINERD:-}" ] || return 0
  local code=0
  [ "$(id -u)" = 0 ] || { echo "needs root: starts containers"; exit 77; }
  FLOX_TEST_CONTAINERD=$("$PROJECT/script/containerd2" | tail -1) || code=$?
  [ $code = 0 ] || exit $code  # its last line said why
  export FLOX_TEST_CONTAINERD
}
