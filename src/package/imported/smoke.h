// Whether programs run where there is nothing but the store: each is started once, with --version, in a root
// directory that holds the closure's store paths, /dev/null and an empty /tmp, without network, capabilities
// and other processes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "nix/store_path.h"
#include "store/local/local_store.h"

namespace flox::package {

struct SmokeResult {
  enum class Verdict {
    ran,          // it ended by itself, or went on until it was stopped
    complained,   // it ended and said that something is missing that it needs
    did_not_run,  // it could not be loaded, or crashed
  };
  std::string program;  // "bin/git"
  Verdict verdict = Verdict::did_not_run;
  std::string detail;  // for people: "exit code 1", what it complained of
};
std::string_view to_string(SmokeResult::Verdict verdict) noexcept;  // "ran", "complained", "did not run"

// Starts every program in the store path's bin, in the order of their names, at most 2,000; one that has
// several names by the one that is a file, or the first. Needs the right to make namespaces: root, or a
// kernel that lets users have theirs. `time_limit` is for one program. `failures` are texts whose presence in
// the output is a complaint. Throws Error(unavailable) if the namespaces cannot be made. Forks, so no other
// thread of this process may hold a lock that the child needs: call it while there is one thread.
std::vector<SmokeResult> smoke_run(const store::LocalStore& store, const nix::StorePath& path,
                                   const std::vector<std::string>& failures,
                                   std::chrono::milliseconds time_limit = std::chrono::seconds(5));

// What a program's end says: its wait status (waitpid(2)), what it printed, whether it was stopped for its
// time.
SmokeResult judge(std::string program, int status, bool stopped, std::string_view output,
                  const std::vector<std::string>& failures);

}  // namespace flox::package
