# The shim's tests where cgroups are version 2 alone, as on the nodes of a cluster, with $1 as OCI runtime: here, if this
# machine is so, else in a virtual machine. Sourced by *_on_cgroup2.sh, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root: starts containers"
command -v "$1" >/dev/null || skip "needs $1"
export FLOX_TEST_OCI_RUNTIME=$1

if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
  [ -z "${FLOX_TEST_IN_MACHINE:-}" ] || die "the virtual machine has no cgroup v2"
  "$PROJECT/script/vm" --check || exit $?
  # What is said of seconds is meant for a processor.
  FLOX_TEST_IN_MACHINE=1 FLOX_TEST_PATIENCE=40 exec "$PROJECT/script/vm" --limit "$(exhaustive && echo 3600 || echo 850)" "$(realpath "$0")"
fi

# Where cgroups matter, with the second runtime only what is read from them; or all that a container's life consists of.
tests=(metrics)
if [ "$1" = crun ] || exhaustive; then tests=(pause trouble metrics); fi
if exhaustive; then tests=(lifecycle exec "${tests[@]}" events); fi
for name in "${tests[@]}"; do
  step "$name.sh with $FLOX_TEST_OCI_RUNTIME"
  code=0
  "$PROJECT/test/shim/$name.sh" || code=$?
  [ $code = 0 ] || die "$name.sh with $FLOX_TEST_OCI_RUNTIME on cgroup v2: exit code $code"
done
