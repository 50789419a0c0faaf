#include "shim/cgroup/sandbox_cgroup.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::shim {
namespace {

// Values of cgroup files are written at once and as they are: no temporary file, no rename.
void set(const fs::path& file, std::string_view value) {
  const Fd fd = open_file(file, O_WRONLY);
  if (::write(fd.get(), value.data(), value.size()) < 0)
    fail_errno(errno, "writing \"{}\" to {}", value, file.string());
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// v1: a new cpuset takes no process before it has processors and memory. From the root down, each takes its
// parent's.
void inherit_cpuset(const fs::path& root, const fs::path& directory) {
  if (directory == root) return;
  inherit_cpuset(root, directory.parent_path());
  for (const char* name : {"cpuset.cpus", "cpuset.mems"})
    if (trimmed(read_file(directory / name)).empty())
      set(directory / name, trimmed(read_file(directory.parent_path() / name)));
}

// v2: a program of two instructions that says no to every use of a device.
void deny_devices(const fs::path& directory) {
  const bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uint64_t>(program);
  load.insn_cnt = std::size(program);
  load.license = reinterpret_cast<uint64_t>("Apache");
  const Fd loaded(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
  if (!loaded) fail_errno(errno, "loading a device filter");
  const Fd cgroup = open_file(directory, O_RDONLY | O_DIRECTORY);
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(cgroup.get());
  attach.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) != 0)
    fail_errno(errno, "attaching a device filter to {}", directory.string());
}

// Shares of v1 (2 to 262144) as a weight of v2 (1 to 10000), as runc and kubelet convert them.
uint64_t weight_of(uint64_t shares) {
  return 1 + (std::clamp<uint64_t>(shares, 2, 262144) - 2) * 9999 / 262142;
}

}  // namespace

SandboxCgroup::SandboxCgroup(const std::string& path, uint64_t cpu_shares) {
  try {
    make(path, cpu_shares);
  } catch (...) {
    for (const fs::path& directory : directories_) ::rmdir(directory.c_str());
    throw;
  }
}

void SandboxCgroup::make(const std::string& path, uint64_t cpu_shares) {
  for (const fs::path& root : Cgroup::hierarchies()) {
    const fs::path directory = root / fs::path(path).relative_path();
    fs::create_directories(directory.parent_path());
    if (::mkdir(directory.c_str(), 0755) != 0) fail_errno(errno, "making the cgroup {}", directory.string());
    directories_.push_back(directory);
    if (fs::exists(directory / "cgroup.controllers")) {
      enable_controllers(root, directory);
      if (cpu_shares != 0 && fs::exists(directory / "cpu.weight"))
        set(directory / "cpu.weight", std::to_string(weight_of(cpu_shares)));
      deny_devices(directory);
      continue;
    }
    if (fs::exists(directory / "cpuset.cpus")) inherit_cpuset(root, directory);
    if (fs::exists(directory / "devices.deny")) set(directory / "devices.deny", "a");
    if (cpu_shares != 0 && fs::exists(directory / "cpu.shares"))
      set(directory / "cpu.shares", std::to_string(cpu_shares));
  }
}

std::vector<Fd> SandboxCgroup::open_process_lists() const {
  std::vector<Fd> lists;
  for (const fs::path& directory : directories_)
    lists.push_back(open_file(directory / "cgroup.procs", O_WRONLY));
  return lists;
}

std::vector<pid_t> SandboxCgroup::processes() const {
  std::vector<pid_t> pids;
  const std::string text = read_file(directories_.at(0) / "cgroup.procs");
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    pid_t pid = 0;
    at = std::from_chars(at, end, pid).ptr + 1;
    if (pid > 0) pids.push_back(pid);
  }
  return pids;
}

void SandboxCgroup::freeze(bool frozen) const {
  for (const fs::path& directory : directories_) {
    if (fs::exists(directory / "cgroup.freeze")) return set(directory / "cgroup.freeze", frozen ? "1" : "0");
    if (fs::exists(directory / "freezer.state"))
      return set(directory / "freezer.state", frozen ? "FROZEN" : "THAWED");
  }
  fail(ErrorKind::unavailable, "there is no freezer cgroup");
}

void SandboxCgroup::remove() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (const fs::path& directory : directories_) {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(directory, gone))
      if (entry.is_directory(gone)) ::rmdir(entry.path().c_str());
    while (::rmdir(directory.c_str()) != 0 && errno != ENOENT) {
      if (errno != EBUSY || std::chrono::steady_clock::now() > deadline)
        fail_errno(errno, "removing the cgroup {}", directory.string());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // its last process is still on its way out
    }
  }
}

}  // namespace flox::shim
