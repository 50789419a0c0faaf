#!/usr/bin/env bash
# The shim with crun where cgroups are version 2 alone.
# ctest: RESOURCE_LOCK emulator
# ctest: COST 270
. "$(dirname "$0")/cgroup2.bash" crun
