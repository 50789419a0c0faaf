// Unpacks a NAR that comes from a cache. The fetcher's side.
#pragma once

#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "nix/nar.h"
#include "nix/path_info.h"
#include "store/local/stage.h"

namespace flox::store {

// A fault of this machine, not of a cache: no other cache would help.
class LocalFailure : public std::exception {
 public:
  explicit LocalFailure(const Error& error) : error_(error) {}
  const char* what() const noexcept override { return error_.what(); }
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

// Unpacks a NAR, of which no more than what was announced. A large one is written by a thread of its own, so
// that one path that is larger than all others keeps two cores busy. Whether it is what was signed is the
// installer's to see: it reads the tree.
class NarUnpacking {
 public:
  // Bytes that it takes at most: the blocks between the threads.
  static const uint64_t memory;

  // Into `to`, which must not exist. `info` must outlive it. Throws LocalFailure, as do the others.
  NarUnpacking(const nix::PathInfo& info, const std::filesystem::path& to);
  // Throws Error: untrusted for more than was announced, invalid_input for what is no NAR.
  void feed(std::string_view piece);
  // Throws Error(untrusted) for less than was announced, invalid_input for a NAR that is cut off.
  void finish();

 private:
  void write(std::string_view piece);

  const nix::PathInfo& info_;
  nix::NarUnpacker unpacker_;
  uint64_t size_ = 0;
  std::shared_ptr<std::string> block_;
  std::optional<Stage> writing_;  // last: its thread uses the others
};

}  // namespace flox::store
