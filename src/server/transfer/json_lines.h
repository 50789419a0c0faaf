// Files of JSON Lines (https://jsonlines.org), one object a line, written and read in bounded memory; their
// bytes are hashed on the way.
#pragma once  // Fuzzed by fuzz/catalog_export.cc.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/data/sha256.h"
#include "base/os/fd.h"

namespace flox::server {

inline constexpr size_t longest_line = 24 << 20;  // bytes: an escaped name file of 8 MiB, and room

class JsonLinesWriter {
 public:
  explicit JsonLinesWriter(Fd fd) : fd_(std::move(fd)) {}
  // Throws Error; invalid_input if a text is not UTF-8.
  void write(const nlohmann::json& object);
  // Call once, after the last one: all is on the disk then.
  Sha256Digest finish();
  uint64_t size() const noexcept { return size_; }
  uint64_t count() const noexcept { return count_; }

 private:
  Fd fd_;
  Sha256 hash_;
  std::string buffer_;
  uint64_t size_ = 0, count_ = 0;
};

class JsonLinesReader {
 public:
  // `name` is for messages.
  JsonLinesReader(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  // The next line's object; false at the end. Throws Error(invalid_input) "NAME:LINE: …".
  bool next(nlohmann::json& object);
  // "NAME:LINE" of the last object.
  std::string place() const;
  // After the end.
  Sha256Digest hash() { return hash_.finish(); }
  uint64_t count() const noexcept { return line_; }

 private:
  bool read_more();

  Fd fd_;
  std::string name_;
  Sha256 hash_;
  std::string buffer_;
  size_t begin_ = 0;  // of what was not given yet
  uint64_t line_ = 0;
};

}  // namespace flox::server
