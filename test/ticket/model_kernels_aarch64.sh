#!/usr/bin/env bash
# The models' kernels for aarch64, compiled by Debian's cross compiler and run by qemu: the same results as plain loops.
# builds: nothing
. "$(dirname "$0")/../lib.sh"
for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  type -P $program >/dev/null || { echo "$program is missing (packages g++-aarch64-linux-gnu, qemu-user)"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check() {  # check LEVEL OPTION
  local compile=(aarch64-linux-gnu-g++ -std=c++20 -Wall -Wextra -Wpedantic -Werror "-I$PROJECT/workload" "-DTICKET_LEVEL=${1//+/_}")
  # The options of workload/ticket/model/compute.cmake.
  "${compile[@]}" -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math "$2" "-DTICKET_LEVEL_NAME=\"$1\"" \
    -c -o "$work/kernels.o" "$PROJECT/workload/ticket/model/kernels_level.cc"
  # Without optimisation: g++ 12.2 for aarch64 fails on this file's loops with it (internal compiler error).
  "${compile[@]}" -static -o "$work/check" "$PROJECT/workload/ticket/testing/kernels_check.cc" "$work/kernels.o"
  equal "$(qemu-aarch64 "$work/check")" "$1: right"
}
check aarch64 -march=armv8-a
check aarch64+dotprod -march=armv8.2-a+dotprod
