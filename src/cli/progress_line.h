// Progress on standard error: one line that is rewritten in place, no wider than the terminal. Nothing where
// that is not a terminal, and nothing with -q. The terminal's modes stay as they are, so that whatever ends
// the program leaves it as it was.
#pragma once

#include <string>

#include "store/fetch/realise_options.h"

namespace flox::cli {

// One thread at a time.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  bool shown() const noexcept { return terminal_; }
  void show(const std::string& text);
  // "[=====>    ] 3 of 20 paths, 12.0M of 80.0M, 4.0M/s, 17s left". Nothing while nothing has to be fetched.
  void show(const store::RealiseProgress& progress);

 private:
  size_t columns() const;  // of the terminal, 80 where it does not say
  bool terminal_;
  bool written_ = false;
};

}  // namespace flox::cli
