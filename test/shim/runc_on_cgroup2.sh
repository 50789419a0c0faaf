#!/usr/bin/env bash
# The shim with runc where cgroups are version 2 alone.
# ctest: RESOURCE_LOCK emulator
. "$(dirname "$0")/cgroup2.bash" runc
