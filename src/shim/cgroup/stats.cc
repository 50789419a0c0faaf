#include "shim/cgroup/stats.h"

#include <unistd.h>

#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/os/file.h"
#include "shim/cgroup/cgroup.h"
#include "shim/protocol/metrics.pb.h"

namespace flox::shim {
namespace {

constexpr uint64_t unlimited = ~uint64_t{0};

std::string text_of(const fs::path& file) {
  try {
    return read_file(file);
  } catch (const Error&) {
    return {};
  }
}

// "max" is 2^64-1.
uint64_t number_of(std::string_view text) {
  if (text.starts_with("max")) return unlimited;
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
uint64_t number_in(const fs::path& file) { return number_of(text_of(file)); }

// Lines "NAME NUMBER".
class Table {
 public:
  explicit Table(const fs::path& file) {
    std::istringstream lines(text_of(file));
    std::string name, value;
    while (lines >> name >> value) values_[name] = number_of(value);
  }
  uint64_t operator[](const char* name) const {
    auto found = values_.find(name);
    return found == values_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, uint64_t> values_;
};

// No limit is 0 in the messages of v1, as in containerd's, and 2^64-1 in those of v2.
void fill_pids(const fs::path& directory, uint64_t no_limit, wire::PidsStat& pids) {
  pids.set_current(number_in(directory / "pids.current"));
  uint64_t limit = number_in(directory / "pids.max");
  pids.set_limit(limit == unlimited ? no_limit : limit);
}

void fill_memory_entry(const fs::path& directory, const std::string& prefix, wire::MemoryEntry& entry) {
  entry.set_usage(number_in(directory / (prefix + ".usage_in_bytes")));
  entry.set_limit(number_in(directory / (prefix + ".limit_in_bytes")));
  entry.set_max(number_in(directory / (prefix + ".max_usage_in_bytes")));
  entry.set_failcnt(number_in(directory / (prefix + ".failcnt")));
}

void fill_memory_v1(const fs::path& directory, wire::MetricsV1& metrics) {
  wire::MemoryStatV1& memory = *metrics.mutable_memory();
  fill_memory_entry(directory, "memory", *memory.mutable_usage());
  fill_memory_entry(directory, "memory.memsw", *memory.mutable_swap());
  fill_memory_entry(directory, "memory.kmem", *memory.mutable_kernel());
  fill_memory_entry(directory, "memory.kmem.tcp", *memory.mutable_kernel_tcp());
  Table stat(directory / "memory.stat");
  memory.set_cache(stat["cache"]);
  memory.set_rss(stat["rss"]);
  memory.set_rss_huge(stat["rss_huge"]);
  memory.set_mapped_file(stat["mapped_file"]);
  memory.set_dirty(stat["dirty"]);
  memory.set_writeback(stat["writeback"]);
  memory.set_pg_pg_in(stat["pgpgin"]);
  memory.set_pg_pg_out(stat["pgpgout"]);
  memory.set_pg_fault(stat["pgfault"]);
  memory.set_pg_maj_fault(stat["pgmajfault"]);
  memory.set_inactive_anon(stat["inactive_anon"]);
  memory.set_active_anon(stat["active_anon"]);
  memory.set_inactive_file(stat["inactive_file"]);
  memory.set_active_file(stat["active_file"]);
  memory.set_unevictable(stat["unevictable"]);
  memory.set_hierarchical_memory_limit(stat["hierarchical_memory_limit"]);
  memory.set_hierarchical_swap_limit(stat["hierarchical_memsw_limit"]);
  memory.set_total_cache(stat["total_cache"]);
  memory.set_total_rss(stat["total_rss"]);
  memory.set_total_rss_huge(stat["total_rss_huge"]);
  memory.set_total_mapped_file(stat["total_mapped_file"]);
  memory.set_total_dirty(stat["total_dirty"]);
  memory.set_total_writeback(stat["total_writeback"]);
  memory.set_total_pg_pg_in(stat["total_pgpgin"]);
  memory.set_total_pg_pg_out(stat["total_pgpgout"]);
  memory.set_total_pg_fault(stat["total_pgfault"]);
  memory.set_total_pg_maj_fault(stat["total_pgmajfault"]);
  memory.set_total_inactive_anon(stat["total_inactive_anon"]);
  memory.set_total_active_anon(stat["total_active_anon"]);
  memory.set_total_inactive_file(stat["total_inactive_file"]);
  memory.set_total_active_file(stat["total_active_file"]);
  memory.set_total_unevictable(stat["total_unevictable"]);
  Table oom(directory / "memory.oom_control");
  metrics.mutable_memory_oom_control()->set_oom_kill_disable(oom["oom_kill_disable"]);
  metrics.mutable_memory_oom_control()->set_under_oom(oom["under_oom"]);
  metrics.mutable_memory_oom_control()->set_oom_kill(oom["oom_kill"]);
}

void fill_cpu_v1(const Cgroup& cgroup, wire::CpuStatV1& cpu) {
  if (fs::path usage = cgroup.directory("cpuacct"); !usage.empty()) {
    cpu.mutable_usage()->set_total(number_in(usage / "cpuacct.usage"));
    Table split(usage / "cpuacct.stat");  // in clock ticks
    const uint64_t tick = 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
    cpu.mutable_usage()->set_user(split["user"] * tick);
    cpu.mutable_usage()->set_kernel(split["system"] * tick);
    std::istringstream each(text_of(usage / "cpuacct.usage_percpu"));
    for (uint64_t value = 0; each >> value;) cpu.mutable_usage()->add_per_cpu(value);
  }
  if (fs::path quota = cgroup.directory("cpu"); !quota.empty()) {
    Table stat(quota / "cpu.stat");
    cpu.mutable_throttling()->set_periods(stat["nr_periods"]);
    cpu.mutable_throttling()->set_throttled_periods(stat["nr_throttled"]);
    cpu.mutable_throttling()->set_throttled_time(stat["throttled_time"]);
  }
}

// Lines "MAJOR:MINOR OPERATION NUMBER".
template <typename Entries>
void fill_blkio(const fs::path& file, Entries* entries) {
  std::istringstream lines(text_of(file));
  for (std::string line; std::getline(lines, line);) {
    uint64_t major = 0, minor = 0, value = 0;
    char colon = 0;
    std::string op;
    std::istringstream fields(line);
    if (!(fields >> major >> colon >> minor >> op >> value)) continue;  // the last line is "Total NUMBER"
    wire::BlkioEntry& entry = *entries->Add();
    entry.set_major(major);
    entry.set_minor(minor);
    entry.set_op(op);
    entry.set_value(value);
  }
}

void fill_cpu_v2(const fs::path& directory, wire::CpuStatV2& cpu) {
  Table stat(directory / "cpu.stat");
  cpu.set_usage_usec(stat["usage_usec"]);
  cpu.set_user_usec(stat["user_usec"]);
  cpu.set_system_usec(stat["system_usec"]);
  cpu.set_nr_periods(stat["nr_periods"]);
  cpu.set_nr_throttled(stat["nr_throttled"]);
  cpu.set_throttled_usec(stat["throttled_usec"]);
}

void fill_memory_v2(const fs::path& directory, wire::MemoryStatV2& memory) {
  Table stat(directory / "memory.stat");
  memory.set_anon(stat["anon"]);
  memory.set_file(stat["file"]);
  memory.set_kernel_stack(stat["kernel_stack"]);
  memory.set_slab(stat["slab"]);
  memory.set_sock(stat["sock"]);
  memory.set_shmem(stat["shmem"]);
  memory.set_file_mapped(stat["file_mapped"]);
  memory.set_file_dirty(stat["file_dirty"]);
  memory.set_file_writeback(stat["file_writeback"]);
  memory.set_anon_thp(stat["anon_thp"]);
  memory.set_inactive_anon(stat["inactive_anon"]);
  memory.set_active_anon(stat["active_anon"]);
  memory.set_inactive_file(stat["inactive_file"]);
  memory.set_active_file(stat["active_file"]);
  memory.set_unevictable(stat["unevictable"]);
  memory.set_slab_reclaimable(stat["slab_reclaimable"]);
  memory.set_slab_unreclaimable(stat["slab_unreclaimable"]);
  memory.set_pgfault(stat["pgfault"]);
  memory.set_pgmajfault(stat["pgmajfault"]);
  // Since Linux 5.9 these two are told for anonymous pages and files apart.
  memory.set_workingset_refault(stat["workingset_refault"] + stat["workingset_refault_anon"] +
                                stat["workingset_refault_file"]);
  memory.set_workingset_activate(stat["workingset_activate"] + stat["workingset_activate_anon"] +
                                 stat["workingset_activate_file"]);
  memory.set_workingset_nodereclaim(stat["workingset_nodereclaim"]);
  memory.set_pgrefill(stat["pgrefill"]);
  memory.set_pgscan(stat["pgscan"]);
  memory.set_pgsteal(stat["pgsteal"]);
  memory.set_pgactivate(stat["pgactivate"]);
  memory.set_pgdeactivate(stat["pgdeactivate"]);
  memory.set_pglazyfree(stat["pglazyfree"]);
  memory.set_pglazyfreed(stat["pglazyfreed"]);
  memory.set_thp_fault_alloc(stat["thp_fault_alloc"]);
  memory.set_thp_collapse_alloc(stat["thp_collapse_alloc"]);
  memory.set_usage(number_in(directory / "memory.current"));
  memory.set_usage_limit(number_in(directory / "memory.max"));
  memory.set_swap_usage(number_in(directory / "memory.swap.current"));
  memory.set_swap_limit(number_in(directory / "memory.swap.max"));
  memory.set_max_usage(number_in(directory / "memory.peak"));
  memory.set_swap_max_usage(number_in(directory / "memory.swap.peak"));
}

void fill_memory_events(const fs::path& directory, wire::MemoryEvents& memory) {
  Table events(directory / "memory.events");
  memory.set_low(events["low"]);
  memory.set_high(events["high"]);
  memory.set_max(events["max"]);
  memory.set_oom(events["oom"]);
  memory.set_oom_kill(events["oom_kill"]);
  memory.set_oom_group_kill(events["oom_group_kill"]);
}

void fill_io_v2(const fs::path& directory, wire::IoStat& stat) {
  std::istringstream lines(text_of(directory / "io.stat"));
  for (std::string line; std::getline(lines, line);) {  // "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …"
    std::istringstream fields(line);
    uint64_t major = 0, minor = 0;
    char colon = 0;
    if (!(fields >> major >> colon >> minor)) continue;
    wire::IoEntry& entry = *stat.add_usage();
    entry.set_major(major);
    entry.set_minor(minor);
    for (std::string field; fields >> field;) {
      uint64_t value = number_of(std::string_view(field).substr(field.find('=') + 1));
      if (field.starts_with("rbytes=")) entry.set_rbytes(value);
      if (field.starts_with("wbytes=")) entry.set_wbytes(value);
      if (field.starts_with("rios=")) entry.set_rios(value);
      if (field.starts_with("wios=")) entry.set_wios(value);
    }
  }
}

// One entry a page size, as in "hugetlb.2MB.current".
void fill_hugetlb(const fs::path& directory, wire::MetricsV2& metrics) {
  constexpr std::string_view prefix = "hugetlb.", suffix = ".current";
  std::set<std::string> sizes;
  std::error_code gone;
  for (const auto& file : fs::directory_iterator(directory, gone)) {
    const std::string name = file.path().filename();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    std::string size = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    if (size.find('.') == std::string::npos) sizes.insert(std::move(size));  // not "2MB.rsvd"
  }
  for (const std::string& size : sizes) {
    wire::HugeTlbStat& entry = *metrics.add_hugetlb();
    entry.set_pagesize(size);
    entry.set_current(number_in(directory / fmt::format("hugetlb.{}.current", size)));
    entry.set_max(number_in(directory / fmt::format("hugetlb.{}.max", size)));
  }
}

}  // namespace

std::string stats_v1(const Cgroup& cgroup) {
  wire::MetricsV1 metrics;
  if (fs::path pids = cgroup.directory("pids"); !pids.empty()) fill_pids(pids, 0, *metrics.mutable_pids());
  fill_cpu_v1(cgroup, *metrics.mutable_cpu());
  if (fs::path memory = cgroup.directory("memory"); !memory.empty()) fill_memory_v1(memory, metrics);
  if (fs::path blkio = cgroup.directory("blkio"); !blkio.empty()) {
    fill_blkio(blkio / "blkio.throttle.io_service_bytes_recursive",
               metrics.mutable_blkio()->mutable_io_service_bytes_recursive());
    fill_blkio(blkio / "blkio.throttle.io_serviced_recursive",
               metrics.mutable_blkio()->mutable_io_serviced_recursive());
  }
  return metrics.SerializeAsString();
}

std::string stats_v2(const fs::path& directory) {
  wire::MetricsV2 metrics;
  fill_pids(directory, unlimited, *metrics.mutable_pids());
  fill_cpu_v2(directory, *metrics.mutable_cpu());
  fill_memory_v2(directory, *metrics.mutable_memory());
  fill_memory_events(directory, *metrics.mutable_memory_events());
  fill_io_v2(directory, *metrics.mutable_io());
  fill_hugetlb(directory, metrics);
  return metrics.SerializeAsString();
}

}  // namespace flox::shim
