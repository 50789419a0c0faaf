#!/usr/bin/env bash
# behaviour_test.sh SCRIPT: how CTest runs a behaviour test: unless the time for tests is over (FLOX_TEST_UNTIL).
if [ "$(date +%s)" -ge "${FLOX_TEST_UNTIL:-9999999999}" ]; then
  echo "no time is left: it would begin after $(date -d "@$FLOX_TEST_UNTIL" +%T)"
  exit 77
fi
exec "$1"
