// The audit log: one line of JSON for each change of the catalog, and each that was refused
// (docs/reference/catalog-api.md, "Audit log"). Of those without a valid token, whom anybody can send in any
// number, ten a second are written, so that they do not push the others out of the files.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/net/server/http_server.h"
#include "base/os/rotating_file.h"
#include "server/identity/caller.h"

namespace flox::server {

// Thread-safe.
class Audit {
 public:
  // Empty: nothing is written. Throws Error if the file cannot be opened.
  Audit(const std::filesystem::path& file, uint64_t max_bytes, unsigned older);

  struct Entry {
    std::string who;     // Caller::name(); empty: nobody
    std::string token;   // its id
    std::string action;  // the route: "POST /api/v1/environments/{owner}/{name}"
    int status = 200;    // of the answer
    std::string reason;  // why it was refused: a Refusal's reason, or the kind of the error
    std::string detail;  // for people
  };
  // What cannot be written is logged and counted; the change stands.
  void write(const ServerRequest& request, const Entry& entry);
  uint64_t failures() const noexcept { return failures_; }

 private:
  // Whether a line about a stranger may be written now.
  bool may_write_of_stranger();

  std::optional<RotatingFile> file_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_{};  // began then
  unsigned in_second_ = 0;                          // lines of strangers
  uint64_t omitted_ = 0;                            // since the last line
  std::atomic<uint64_t> failures_{0};
};

}  // namespace flox::server
