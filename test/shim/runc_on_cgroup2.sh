#!/usr/bin/env bash
# The shim with runc where cgroups are version 2 alone.
# ctest: RESOURCE_LOCK emulator
# ctest: COST 250
. "$(dirname "$0")/cgroup2.bash" runc
