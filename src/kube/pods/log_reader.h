// Container logs in CRI's format: "TIME STREAM TAG TEXT", where TIME is RFC 3339 with nanoseconds, STREAM is
// stdout or stderr, and TAG is F for a full line or P for a part of one whose rest follows.
// https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
#pragma once  // Fuzzed by fuzz/log_line.cc.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace flox::kube {

struct LogLine {
  std::string time;
  bool is_error = false;  // of stderr
  std::string text;       // with its line feed; without one if the writer ended in the middle of a line
};

// Takes one line of the file (without its line feed) apart. False if it is not of the format.
bool parse_log_line(const std::string& raw, LogLine& line, bool& partial);

// Reads a growing log file from where the last read ended, also over rotations (log_rotation.h).
class LogReader {
 public:
  LogReader() = default;
  explicit LogReader(std::filesystem::path path) : path_(std::move(path)) {}
  // Everything complete that is there and has not been read. A file that does not exist (yet) is empty. Of a
  // line over 1 MiB only its beginning is kept: containerd cuts lines at 16 KiB.
  void read(const std::function<void(const LogLine&)>& take);

 private:
  void read_file(const std::filesystem::path& path, const std::function<void(const LogLine&)>& take);
  void read_rotated(const std::function<void(const LogLine&)>& take);

  std::filesystem::path path_;
  uint64_t file_ = 0;          // inode of the file that was read last; 0: none
  std::streamoff offset_ = 0;  // of the first byte after its last complete line that was read
};

}  // namespace flox::kube
