#!/usr/bin/env bash
# How long floxd's policy takes to decide a container's start, by the number of its rules: the median and the 99th percentile
# in microseconds. There is no peer to run beside it; the limit is 100 microseconds.
. "$(dirname "$0")/../script/lib.sh"
printf '%8s %14s %14s\n' rules 'median (us)' '99% (us)'
for rules in 20 100 1000; do
  read -r median slowest < <("$BUILD_DIR/bench/policy_time" $rules)
  printf '%8s %14s %14s\n' $rules "$median" "$slowest"
done
