#include "store/local/sync_mark.h"

#include <charconv>

#include "base/error.h"
#include "base/os/file.h"
#include "store/local/boot.h"

namespace flox::store {

SyncMark::SyncMark(const std::filesystem::path& state_directory) : file_(state_directory / "flox/synced") {}

void SyncMark::begin(int64_t next_id) const {
  const auto mark = read();
  if (!mark || (!mark->of_this_boot && next_id <= mark->first_row)) advance(next_id);
}

void SyncMark::advance(int64_t next_id) const {
  write_file_synced(file_, fmt::format("{} {}\n", boot_id(), next_id));
}

std::optional<int64_t> SyncMark::pending() const {
  const auto mark = read();
  return mark && mark->of_this_boot ? std::optional(mark->first_row) : std::nullopt;
}

std::optional<int64_t> SyncMark::first_unsynced() const {
  const auto mark = read();
  return mark && !mark->of_this_boot ? std::optional(mark->first_row) : std::nullopt;
}

std::optional<SyncMark::Mark> SyncMark::read() const {
  if (!std::filesystem::exists(file_)) return std::nullopt;
  const std::string text = read_file(file_);
  const size_t space = text.find(' ');
  int64_t id = 0;
  // A mark that cannot be read vouches for nothing.
  if (space != std::string::npos) std::from_chars(text.data() + space + 1, text.data() + text.size(), id);
  return Mark{.of_this_boot = text.substr(0, space) == boot_id(), .first_row = id};
}

}  // namespace flox::store
