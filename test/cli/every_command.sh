#!/usr/bin/env bash
# Every command of flox that changes something, killed, without room on the disk, and beside another one, at points spread over
# all its calls of the system that change something: what is there then is what was before or what was to be there, whole; the
# same command run again ends it; nothing is left behind; and of two at once no effect is lost.
#   POINTS=0 test/cli/every_command.sh                     at all points
#   test/cli/every_command.sh "store gc" install           these commands only
# builds: flox flox-catalog
# ctest: COST 240
. "$(dirname "$0")/../../script/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: a copy of a store has read-only directories"; exit 77; }
type -P cc sqlite3 >/dev/null || { echo "needs cc and sqlite3"; exit 77; }
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
trap 'rm -rf --one-file-system "$WORK"' EXIT
cc -O1 -Wall -Wextra -Werror -o "$WORK/at_call" "$PROJECT/test/at_call.c"
python3 "$PROJECT/test/cli/every_command.py" "$WORK/at_call" "$WORK" "$@"
