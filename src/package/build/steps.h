// Tells people on stderr what a command does: one line per step, with the seconds since its start.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string_view>

#include "base/printable.h"

namespace flox::package {

class Steps {
 public:
  // `quiet` drops the lines.
  explicit Steps(bool quiet) : quiet_(quiet) {}
  void operator()(std::string_view line) const {
    if (quiet_) return;
    std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    fmt::print(stderr, "{:6.1f} s  {}\n", passed.count(), printable(line));
  }

 private:
  bool quiet_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace flox::package
