// A root directory that holds nothing of this machine but what is named: for builds that may see their
// sources and their packages only, and for trying whether what was built can be loaded.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "nix/store_path.h"

namespace flox::package {

struct BuildRoot {
  struct Shown {
    std::filesystem::path from;  // a directory or file of this machine
    std::filesystem::path to;    // absolute, in the root; links on the way are none of the machine's
    bool writable = false;
  };
  std::filesystem::path at;                  // an empty directory of this machine, to make the root on
  std::filesystem::path store;               // the real directory of the store
  nix::StorePathSet store_paths;             // of it, read-only
  std::vector<Shown> shown;                  // in this order
  std::map<std::string, std::string> links;  // "bin/sh" → where it leads
  // With this user's ids, home directory and network, instead of user 1000, /build and loopback only.
  bool as_caller = false;
  std::filesystem::path home = "/build";  // as the root's /etc/passwd has it
};

// Runs `body`, which becomes another program or ends the process, in the root, and returns its exit code (128
// + signal). In namespaces of its own: users (uid and gid 1000), mounts, processes, network (loopback only),
// IPC and host name; as the caller without those of network and host name, and root keeps its power over
// files. Keyrings of the kernel are not there, nor what whoever started this process had open; as the caller
// sockets with abstract names are only there if the body has made them, from Linux 6.12 on. /dev has the
// harmless devices, /proc the namespace's processes, /tmp is what is shown there or a new tmpfs. When
// `body`'s process ends, all that it left running ends. Call in a process of its own with one thread; what
// `body` throws leaves this function in another process. Throws Error(unavailable) if this machine lets this
// user have no such namespaces.
int run_in_root(const BuildRoot& root, const std::function<void()>& body);

}  // namespace flox::package
