// Progress for people, while a command works.
#pragma once

#include <string>

namespace flox::cli {

// Progress on standard error, one line that is rewritten in place; nothing where that is not a terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  bool shown() const noexcept { return terminal_; }
  void show(const std::string& text);

 private:
  bool terminal_;
  bool written_ = false;
};

}  // namespace flox::cli
