// Sees which files a command and all that it starts use, static programs among them: the kernel tells of each
// call that names a file before it is made (seccomp(2), SECCOMP_RET_USER_NOTIF), and goes on with it.
//
// The path is read from the memory of the process, which may change it meanwhile: good enough for telling
// people what an honest build uses, and nothing is ever allowed or denied by it. What keeps a build from
// files is its root (build_root.h). Not seen are 32-bit programs, and what is asked of a descriptor that was
// open before. io_uring, which goes around the calls, does not exist for the command.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/os/fd.h"
#include "package/build/accesses.h"
#include "package/build/allowed_paths.h"

namespace flox::package {

// What a command may use without a word. What every Linux machine has of its own is not named at all: /proc,
// /dev, /sys, and the files of /etc, locales and time zones that the C library reads by itself.
struct AccessRules {
  bool own_root = false;  // the command's root lacks what it may not use; otherwise it is the machine's
  std::string store;      // the real directory of the store that the command has as /nix/store
  std::set<std::string, std::less<>> store_paths;  // base names of those that it has
  std::vector<std::string> directories;            // and files, without links
  AllowedPaths allowed;
};

class AccessWatch {
 public:
  // Both must outlive it. One run of one command. Throws Error.
  AccessWatch(const AccessRules& rules, Accesses& accesses);
  AccessWatch(const AccessWatch&) = delete;

  // In the process that is about to become the command, in its root: from here on its accesses are seen, and
  // it waits at each until attend() has looked at it. Throws Error(unavailable) if the kernel or a sandbox
  // around this one does not let that be.
  void begin();
  // In a process above it: returns when the process has ended. Throws Error(unavailable) if this process may
  // not read the command's memory.
  void attend(pid_t process);
  // Whether the command's accesses were seen.
  bool has_begun() const noexcept { return static_cast<bool>(root_); }

 private:
  // What is known of a path, as a program named it.
  struct Verdict {
    std::string real;  // without links; empty: nothing is to be told of it
    bool directory = false;
    bool interpreter_known = false;
    std::string interpreter;  // that it is run by
  };
  struct Call;

  void receive_listener();
  void serve();
  bool read_call(const seccomp_notif& asked, Call& call);
  void judge(const Call& call);
  void tell(const Verdict& verdict, const Call& call);
  void look_for_interpreter(Verdict& verdict, const std::string& path);
  std::optional<Verdict> verdict_of(const Call& call);
  std::string without_root(std::string name) const;
  Fd open_inside(const std::string& path, int flags) const;
  bool may_use(std::string_view real) const;
  bool leads_to_allowed(std::string_view directory) const;
  bool goes_with_program(const std::string& program, const std::string& library);

  const AccessRules& rules_;
  Accesses& accesses_;
  Fd near_, far_;          // of a socket: attend()'s end, begin()'s
  Fd listener_, root_;     // the command's
  std::string root_name_;  // in front of what the kernel calls its files
  bool has_read_ = false;  // the memory of any process of it
  std::unordered_map<std::string, Verdict> known_;
  size_t known_bytes_ = 0;
  std::map<std::string, std::set<std::string>> libraries_;  // by program of the machine, those that it loads
};

}  // namespace flox::package
