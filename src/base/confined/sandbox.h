// Confines this process for good to what it needs for reading untrusted bytes.
//
// Four layers, each of which would do most of the work alone: no capabilities and no new privileges; Landlock
// (files, TCP ports, signals, abstract sockets; landlock(7)); a list of the system calls that are allowed
// (seccomp(2)); limits of memory, files and file size. Where the kernel has no Landlock (before 5.13), root
// gets a mount namespace instead, in which all but the given directories is read-only and what is not to be
// read is hidden.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flox {

struct Sandbox {
  std::vector<std::filesystem::path>
      writable;  // directories; below them files, directories and links are made
  std::vector<std::filesystem::path> readable;  // files and directories; missing ones are left out
  // TCP ports that may be connected to (Landlock ABI 4); empty: any. Other sockets: UDP, for names.
  std::vector<uint16_t> ports;
  uint64_t memory = 1ULL << 30;     // bytes of data (RLIMIT_DATA)
  uint64_t file_size = 1ULL << 40;  // bytes, of one file
  unsigned open_files = 1024;
};

// Whether a job may run without complete isolation (Isolation::complete).
enum class IsolationPolicy { required, best_effort };

// What holds a sandboxed process.
struct Isolation {
  int landlock = 0;  // its ABI; 0: none
  bool seccomp = false;
  bool mounts = false;  // the mount namespace that stands in for Landlock

  // Whether neither files nor processes of others are in reach. The mount namespace does not suffice: what
  // was handed over and checked can still be reached by a descriptor of its directory.
  bool complete() const noexcept { return landlock > 0 && seccomp; }
  std::string to_string() const;  // "Landlock ABI 7, seccomp"
};

// What this kernel and user can have; nothing is changed.
Isolation available_isolation();

// What a client of TLS and DNS reads: certificates, resolver files, libraries.
std::vector<std::filesystem::path> network_files();

// The calling process is confined from here on; call before it has threads. What is open stays open. Throws
// Error if a layer that the kernel has cannot be set up.
Isolation enter_sandbox(const Sandbox& sandbox);

// For the layers' own sources.
namespace sandbox {
int landlock_abi() noexcept;  // 0: none
void restrict_files(const Sandbox& sandbox, int abi);
void restrict_calls();
void restrict_mounts(const Sandbox& sandbox);
}  // namespace sandbox

}  // namespace flox
