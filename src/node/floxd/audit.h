// The audit log: one line of JSON for each decision about a pod (docs/reference/policy.md has the members).
//
// A thread of its own writes; who asks for a line waits for no disk. At most 4,096 lines wait; what comes
// then, and what cannot be written, is lost, counts in the metrics and is said in floxd's log once until a
// line is written again.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/os/fd.h"
#include "base/os/rotating_file.h"
#include "node/floxd/metrics.h"
#include "node/floxd/settings.h"

namespace flox::node {

// Thread-safe.
class AuditLog {
 public:
  // Where `settings.audit` says. Throws Error(invalid_input) if that is neither empty, journald nor an
  // absolute path. A file that cannot be written is no error here: its lines are lost until it can be.
  AuditLog(const PolicySettings& settings, Metrics& metrics,
           std::filesystem::path journal = "/run/systemd/journal/socket");
  // Writes what waits.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;

  bool is_on() const noexcept { return thread_.joinable(); }
  // `line`: JSON without line breaks; longer ones than 16 KiB are lost.
  void write(std::string line);

 private:
  void run();
  void write_to_file(const std::string& line);
  void write_to_journal(const std::string& line);
  void lose(const std::string& why);

  const std::filesystem::path file_;     // empty: the journal
  const std::filesystem::path journal_;  // its socket
  const uint64_t largest_;               // bytes
  const size_t files_;
  Metrics& metrics_;
  std::optional<RotatingFile> open_file_;
  Fd open_journal_;
  bool losing_ = false;  // and the log says so

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace flox::node
