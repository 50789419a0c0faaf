#!/usr/bin/env bash
# behaviour_test.sh SCRIPT: how CTest runs a behaviour test: on the disk (FLOX_TEST_TMPDIR, else where temporary files are),
# unless the time for tests is over (FLOX_TEST_UNTIL). Into the file FLOX_TEST_COSTS, if there is one, goes a line: seconds by the
# clock, seconds of processor time of all its processes but those that it puts into cgroups of their own, its name (cgroup v1).
if [ "$(date +%s)" -ge "${FLOX_TEST_UNTIL:-9999999999}" ]; then
  echo "no time is left: it would begin after $(date -d "@$FLOX_TEST_UNTIL" +%T)"
  exit 77
fi
[ -z "${FLOX_TEST_TMPDIR:-}" ] || export TMPDIR=$FLOX_TEST_TMPDIR
[ -n "${FLOX_TEST_COSTS:-}" ] || exec "$1"
group=/sys/fs/cgroup/cpuacct/flox-test-$$
mkdir "$group"
bash -c 'echo $$ >"$0/cgroup.procs" && exec "$1"' "$group" "$1"
code=$?
printf '%d %d %s\n' "$SECONDS" "$(($(cat "$group/cpuacct.usage") / 1000000000))" "${1##*/test/}" >>"$FLOX_TEST_COSTS"
for ((tries = 0; tries < 20; ++tries)); do rmdir "$group" 2>/dev/null && break; sleep 0.5; done
exit $code
