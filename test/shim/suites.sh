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

# in_own_cgroups COMMAND…: the command sees the world's cgroups as all there are. For suites that put containers where
# other worlds' suites put theirs. Mounts and cgroup namespace are the command's own.
in_own_cgroups() {
  local mounts=() mount dir
  mapfile -t mounts < <(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts)
  (
    for mount in "${mounts[@]}"; do
      dir=$mount$CGROUP_PARENT
      mkdir -p "$dir"
      if [ -e "$mount/cpuset.cpus" ]; then  # cgroup v1: a new one takes no process before it is set up
        cat "$mount/cpuset.cpus" >"$dir/cpuset.cpus"
        cat "$mount/cpuset.mems" >"$dir/cpuset.mems"
      fi
      echo $BASHPID >"$dir/cgroup.procs"
    done
    exec unshare --cgroup --mount bash -c '
      awk "\$3 == \"cgroup\" || \$3 == \"cgroup2\" { print \$2, \$3, \$4 }" /proc/self/mounts | while read -r at type options; do
        umount "$at"
        mount -t "$type" -o "$options" none "$at"
        # cgroup v2: one that has processes hands no controllers to those below it.
        [ "$type" = cgroup ] || { mkdir "$at/suite"; echo $$ >"$at/suite/cgroup.procs"; }
      done
      exec "$@"' bash "$@"
  )
}

# passes_too WHAT REFERENCE OURS: two files with the names of the tests that passed; all of the reference's must be
# among ours.
passes_too() {
  local missing
  missing=$(comm -23 <(sort -u "$2") <(sort -u "$3"))
  [ -z "$missing" ] || { printf '%s: passes with runc, not with flox:\n%s\n' "$1" "$missing" >&2; return 1; }
}
