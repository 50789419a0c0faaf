#!/usr/bin/env bash
# The numbers that our shim and containerd's tell of a container are those in the container's cgroup, on v1 and v2.
. "$(dirname "$0")/support.sh"
command -v containerd-shim-runc-v2 >/dev/null || skip "needs containerd-shim-runc-v2"

# On v2, something that reads from a block device has input and output to be told.
unified() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }
DEVICE=''
if unified; then
  busybox modprobe loop 2>/dev/null || true
  truncate -s 16M "$WORLD/disk"
  DEVICE=$(losetup --find --show "$WORLD/disk") || skip "needs a loop device"
  exec 9<"$DEVICE"
  losetup -d "$DEVICE"  # when we are gone, and not before
fi

metrics() { ctr task metrics --format json box; }
told() { metrics | jq -r "$1 // 0"; }
# same FILE-COMMAND JQ-PATH: what the cgroup says, before and after, is what the shim says.
same() {
  local before told
  before=$(eval "$1")
  told=$(told "$2")
  [ "$before" = "$told" ] || { echo "$2: the shim says '$told', the cgroup '$before'" >"$WORLD/difference"; return 1; }
}
agrees() {  # a number may grow between the two looks
  local end=$((SECONDS + 20 * PATIENCE))
  until same "$@"; do [ $SECONDS -lt $end ] || die "$(cat "$WORLD/difference")"; done
}
field() { awk -v name="$2" '$1 == name { print $2 }' "$1"; }
limit_in() { sed 's/max/18446744073709551615/' "$1"; }  # jq rounds it; so both are compared as jq prints them

compare_v2() {
  local cgroup name
  cgroup=/sys/fs/cgroup$(awk -F: '$1 == 0 { print $3 }' "/proc/$(task_pid box)/cgroup")
  equal "$(cat "$cgroup/cgroup.controllers")" "$(cat /sys/fs/cgroup/cgroup.controllers)"
  for name in usage_usec user_usec system_usec nr_periods nr_throttled throttled_usec; do
    agrees "field '$cgroup/cpu.stat' $name" ".cpu.$name"
  done
  for name in anon file kernel_stack slab sock shmem file_mapped file_dirty file_writeback inactive_anon active_anon inactive_file \
    active_file unevictable slab_reclaimable slab_unreclaimable pgfault pgmajfault pgactivate; do
    agrees "field '$cgroup/memory.stat' $name" ".memory.$name"
  done
  agrees "cat '$cgroup/memory.current'" .memory.usage
  agrees "cat '$cgroup/memory.swap.current'" .memory.swap_usage
  equal "$(told .memory.usage_limit)" 67108864
  equal "$(told .memory.usage_limit)" "$(cat "$cgroup/memory.max")"
  equal "$(told .memory.swap_limit)" "$(limit_in "$cgroup/memory.swap.max" | jq .)"
  agrees "cat '$cgroup/pids.current'" .pids.current
  equal "$(told .pids.limit)" "$(limit_in "$cgroup/pids.max" | jq .)"
  equal "$(told '.hugetlb[0].pagesize')" 2MB
  compare_io "$cgroup"
}
compare_io() {
  local number name
  number=$(lsblk -no MAJ:MIN "$DEVICE" | tr -d ' ')
  for name in rbytes wbytes rios wios; do
    agrees "sed -n 's/^$number .*\\b$name=\\([0-9]*\\).*/\\1/p' '$1/io.stat'" \
      "(.io.usage[] | select(\"\\(.major // 0):\\(.minor // 0)\" == \"$number\") | .$name)"
  done
  [ "$(told "(.io.usage[] | select(\"\\(.major // 0):\\(.minor // 0)\" == \"$number\") | .rbytes)")" -ge 8388608 ] ||
    die "8 MiB were read, and not told: $(metrics)"
}

compare_v1() {
  local memory pids name
  memory=$(v1_directory memory) pids=$(v1_directory pids)
  agrees "cat '$memory/memory.usage_in_bytes'" .memory.usage.usage
  equal "$(told .memory.usage.limit)" 67108864
  for name in total_rss total_cache total_inactive_file total_pgfault:total_pg_fault total_pgmajfault:total_pg_maj_fault; do
    agrees "field '$memory/memory.stat' ${name%:*}" ".memory.${name#*:}"
  done
  agrees "cat '$(v1_directory cpuacct)/cpuacct.usage'" .cpu.usage.total
  agrees "cat '$pids/pids.current'" .pids.current
  equal "$(told .pids.limit)" "$(sed 's/max/0/' "$pids/pids.max")"
}
v1_directory() {
  awk -F: -v name="$1" '("," $2 ",") ~ "," name "," { print "/sys/fs/cgroup/" name $3 }' "/proc/$(task_pid box)/cgroup"
}

for SHIM in "$SHIM" io.containerd.runc.v2; do
  step "as told by $(basename "$SHIM")"
  choose_runtime
  [ -z "$DEVICE" ] || blockdev --flushbufs "$DEVICE"  # what the container reads must not be in memory yet
  run_container -d --memory-limit 67108864 ${DEVICE:+--device "$DEVICE"} box sh -c \
    "${DEVICE:+dd if=$DEVICE of=/dev/null bs=1M count=8 2>/dev/null;} head -c 4000000 /dev/zero >/tmp/file; echo ready >/tmp/ready; sleep 1000"
  wait_until 60 "the container to have worked" test -s "$ROOTFS/tmp/ready"
  if unified; then compare_v2; else compare_v1; fi
  end_container box
  rm "$ROOTFS/tmp/ready" "$ROOTFS/tmp/file"
done
expect_nothing_left
