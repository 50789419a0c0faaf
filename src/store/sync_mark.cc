#include "store/sync_mark.h"

#include <charconv>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "store/boot.h"

namespace flox::store {

SyncMark::SyncMark(const std::filesystem::path& state_directory) : file_(state_directory / "flox/synced") {}

void SyncMark::begin(int64_t next_id) const {
  const auto first = doubtful();
  if (first ? next_id <= *first : !pending()) advance(next_id);
}

void SyncMark::advance(int64_t next_id) const {
  write_file_synced(file_, fmt::format("{} {}\n", boot_id(), next_id));
}

std::optional<int64_t> SyncMark::first_row(bool of_this_boot) const {
  if (!std::filesystem::exists(file_)) return std::nullopt;
  const std::string text = read_file(file_);
  const size_t space = text.find(' ');
  if ((text.substr(0, space) == boot_id()) != of_this_boot) return std::nullopt;
  int64_t id = 0;
  // A mark that cannot be read vouches for nothing.
  if (space != std::string::npos) std::from_chars(text.data() + space + 1, text.data() + text.size(), id);
  return id;
}

}  // namespace flox::store
