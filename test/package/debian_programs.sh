#!/usr/bin/env bash
# Debian's programs work from store paths: a handful of those in debian-packages.txt, or all with FLOX_TEST_ALL_PACKAGES=1.
. "$(dirname "$0")/../../script/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: mounts a store into a chroot"; exit 77; }
if [ "${FLOX_TEST_ALL_PACKAGES:-}" = 1 ]; then exec "$PROJECT/script/debian-packages" --all; fi
exec "$PROJECT/script/debian-packages" git perl python3 vim jq imagemagick postgresql-client
