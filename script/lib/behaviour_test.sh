#!/usr/bin/env bash
# behaviour_test.sh SCRIPT: how CTest runs a behaviour test: on the disk (FLOX_TEST_TMPDIR, else where temporary files are),
# unless the time for tests is over (FLOX_TEST_UNTIL). Into the file FLOX_TEST_COSTS, if there is one, goes a line: seconds,
# user and system time of the script and of what it waited for, its name.
if [ "$(date +%s)" -ge "${FLOX_TEST_UNTIL:-9999999999}" ]; then
  echo "no time is left: it would begin after $(date -d "@$FLOX_TEST_UNTIL" +%T)"
  exit 77
fi
[ -z "${FLOX_TEST_TMPDIR:-}" ] || export TMPDIR=$FLOX_TEST_TMPDIR
[ -n "${FLOX_TEST_COSTS:-}" ] || exec "$1"
TIMEFORMAT="%R %U %S ${1##*/test/}"
{ time "$1" 2>&3; } 3>&2 2>>"$FLOX_TEST_COSTS"
