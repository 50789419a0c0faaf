#include "cli/progress_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/settings/units.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

constexpr size_t bar_width = 20;  // characters, without its brackets

std::string bar(uint64_t done, uint64_t total) {
  const size_t full = total == 0 ? 0 : std::min<size_t>(bar_width, bar_width * std::min(done, total) / total);
  std::string text(full, '=');
  if (full < bar_width) text += '>';
  text.resize(bar_width, ' ');
  return "[" + text + "] ";
}

}  // namespace

ProgressLine::ProgressLine() : terminal_(verbosity() != Verbosity::quiet && ::isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (written_) fmt::print(stderr, "\n");
}

size_t ProgressLine::columns() const {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void ProgressLine::show(const std::string& text) {
  if (!terminal_) return;
  // A line that fills the last column would go on in the next.
  fmt::print(stderr, "\r\033[K{}", text.substr(0, columns() - 1));
  std::fflush(stderr);
  written_ = true;
}

void ProgressLine::show(const store::RealiseProgress& progress) {
  if (progress.paths_total == 0) return;
  std::string text = bar(progress.bytes_total == 0 ? progress.paths_done : progress.bytes_fetched,
                         progress.bytes_total == 0 ? progress.paths_total : progress.bytes_total);
  text += fmt::format("{} of {} paths, {} of {}", progress.paths_done, progress.paths_total,
                      size_text(progress.bytes_fetched), size_text(progress.bytes_total));
  if (progress.bytes_per_second >= 1)
    text += fmt::format(", {}/s", size_text(static_cast<uint64_t>(progress.bytes_per_second)));
  if (progress.time_left) text += fmt::format(", {} left", duration_text(*progress.time_left));
  show(text);
}

}  // namespace flox::cli
