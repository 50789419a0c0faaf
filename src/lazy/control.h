// How floxd tells the server of a node's mount which paths to show: over a socket in the mount's files, one
// request and one answer for each connection, both JSON in one packet.
//
//   {"slots": [HASH-NAME…]}                    {"slots": [NUMBER…]}, in their order; 0: not in the mount
//   {"add": [HASH-NAME…]}                      the same, once the files of each are written (mount_files.h)
//   {"use_store": [HASH-NAME…], "store": DIR}  {}
//   {"drop": [HASH-NAME…]}                     {}
//   {"status": [HASH-NAME…]}                   {"paths": NUMBER, …}: PathsStatus; of no names: of all
//   {"waits": true}                            {"server": NUMBER, "counts": [NUMBER…], "micros": NUMBER}:
//                                              MountWaits
//   {"retry": [HASH-NAME…], "milliseconds": N} {"failures": [[HASH-NAME, WHY]…], "reads": [NUMBER…]}: of
//   each,
//                                              how many reads have ended with an error
//   {"wanted": HASH-NAME}         {"ranges": [[FILE, BEGIN, END]…]}: what readers have wanted of it
//   {"soon": HASH-NAME, "ranges": [[FILE, BEGIN, END]…]}         {}: fetched before somebody waits for it
//   {"end": true}                              {}: the mount ends
//
// or, instead of any answer, {"error": TEXT, "kind": NUMBER}. Only root can connect: the files are its own.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "lazy/served_paths.h"
#include "store/index/file_range.h"

namespace flox::lazy {

// A larger request or answer is refused, bytes.
inline constexpr size_t most_control = 160 << 10;
// Names of one request, so that it is not larger.
inline constexpr size_t most_control_names = 500;

// The answer to a request, and whether the mount is to end once it is sent. What is wrong is an answer, too.
std::string answer_control(ServedPaths& paths, std::string_view request, bool& ends);

// Answers at FILES/control until the process ends, on threads of its own; calls `end` if the mount is to end.
// `paths` must live as long as the process. Throws Error if it cannot begin.
void serve_control(const std::filesystem::path& files, ServedPaths& paths, std::function<void()> end);

// The asking side. Thread-safe; each call connects, and waits while there is no server.
class MountControl {
 public:
  // `patience`: how long a server that is not there is waited for; `call_time`: for an answer, beside what
  // the request itself takes.
  MountControl(std::filesystem::path files, std::chrono::milliseconds patience,
               std::chrono::milliseconds call_time = std::chrono::seconds(60))
      : files_(std::move(files)), patience_(patience), call_time_(call_time) {}

  // All of these throw Error: the answer's, or unavailable.
  std::vector<uint32_t> slots(const std::vector<nix::StorePath>& paths) const;
  std::vector<uint32_t> add(const std::vector<nix::StorePath>& paths) const;
  void use_store(const std::vector<nix::StorePath>& paths, const std::filesystem::path& store) const;
  void drop(const std::vector<nix::StorePath>& paths) const;
  PathsStatus status(const std::vector<nix::StorePath>& paths) const;
  MountWaits waits() const;
  std::vector<PathFailure> retry(const std::vector<nix::StorePath>& paths,
                                 std::chrono::milliseconds most) const;
  std::vector<store::FileRange> wanted(const nix::StorePath& path) const;
  void want_soon(const nix::StorePath& path, const std::vector<store::FileRange>& ranges) const;
  void end() const;

 private:
  std::string ask(const std::string& request, std::chrono::milliseconds most) const;
  Fd connect() const;

  const std::filesystem::path files_;
  const std::chrono::milliseconds patience_, call_time_;
};

}  // namespace flox::lazy
