// Files of the cache that everyone may read and that were asked for a moment ago: small ones in memory
// (narinfos, and NARs that are no larger than a few packets), larger NARs open. Whoever fetches a closure
// asks for hundreds, and when a deployment rolls out, many nodes ask for the same ones at the same time.
//
// What is in it holds for a second, for another catalog of the same cache may have added a signature or
// removed a path meanwhile. What this catalog changes counts at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/net/server/http_server.h"

namespace flox::server {

// Thread-safe, and never waits for anything but memory.
class HotFiles {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds holds{1};
  static constexpr size_t largest = 64 << 10;     // bytes of a file
  static constexpr size_t most_bytes = 16 << 20;  // of names, texts, and what keeping them takes

  static constexpr size_t most_open = 64;  // files; a NAR that is removed takes room until it is closed

  // One of the two, or neither: it is not in it.
  struct File {
    Text text;
    std::shared_ptr<const OpenedFile> opened;
    explicit operator bool() const noexcept { return text || opened; }
  };
  File find(std::string_view name, Time now = std::chrono::steady_clock::now()) const;
  // Calls of forget() so far. Taken before the file is read, for add().
  uint64_t changes() const;
  // Unless it is too large, or something was forgotten since: the text may be out of date already.
  void add(const std::string& name, File file, uint64_t changes, Time now = std::chrono::steady_clock::now());
  // The file has changed, or who may read it.
  void forget(std::string_view name);
  // Closes what holds no more.
  void forget_old(Time now = std::chrono::steady_clock::now());
  // Bytes of what is in it, at most most_bytes.
  size_t bytes() const;

 private:
  struct Entry {
    File file;
    Time until;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  Entries::iterator erase(Entries::iterator entry);
  void erase_old(Time now);

  mutable std::mutex mutex_;
  Entries entries_;
  size_t bytes_ = 0;
  size_t open_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace flox::server
