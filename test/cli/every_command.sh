#!/usr/bin/env bash
# Every command of flox that changes something, killed, without room on the disk, and beside another one, at points spread over
# all its calls of the system that change something: what is there then is what was before or what was to be there, whole; the
# same command run again ends it; nothing is left behind; and of two at once no effect is lost.
#   FLOX_TEST_EXHAUSTIVE=1 test/cli/every_command.sh       at all points
#   test/cli/every_command.sh "store gc" install           these commands only
# builds: flox flox-catalog
# ctest: COST 120
. "$(dirname "$0")/../../script/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: a copy of a store has read-only directories"; exit 77; }
type -P cc sqlite3 apt-ftparchive gpg >/dev/null || { echo "needs cc, sqlite3, apt-ftparchive and gpg"; exit 77; }
# Nearly all of it is copying what was before, hundreds of times: in memory, in a mount namespace of its own. What processes of
# other tests use is none of its collector's business.
[ -n "${IN_MEMORY:-}" ] || IN_MEMORY=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX") \
  exec unshare --mount --pid --fork --kill-child --mount-proc -- "$0" "$@"
WORK=$IN_MEMORY
export -n IN_MEMORY
trap 'umount --lazy "$WORK" && rmdir "$WORK"' EXIT  # gpg has an agent there
mount -t tmpfs -o mode=0755 tmpfs "$WORK"
cc -O1 -Wall -Wextra -Werror -o "$WORK/at_call" "$PROJECT/test/at_call.c"

# What is imported from Debian: programs that nobody starts, of which two are an interpreter with a wrapper.
. "$PROJECT/test/package/debian_repository.sh"
repository_key good
echo 'int main(void) { return 0; }' | cc -static -O1 -x c -o "$WORK/program" -
program() {  # program NAME VERSION PLACE… [-- CONTROL-LINE]
  local name=$1 version=$2
  shift 2
  mkdir -p "$WORK/tree/usr"/{bin,share/zoneinfo}
  for (( ; $#; )); do
    [ "$1" != -- ] || { shift; break; }
    cp "$WORK/program" "$WORK/tree/usr/bin/$1"
    shift
  done
  echo "$name" >"$WORK/tree/usr/share/zoneinfo/$name"
  deb "$name" "$version" "${1:+$1$'\n'}"
}
program dash 0.5-1 dash sh
program python3 3.11.2-1 python3 -- "Depends: dash"
program nodejs 18.20.4-1 node -- "Depends: dash"
program greet 1.0-1 greet -- "Depends: dash"
program libc6 2.36-9
sign_repository

python3 "$PROJECT/test/cli/every_command.py" "$WORK/at_call" "$WORK" "$@"
