#include "store/local/row_text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"

namespace flox::store {

using nix::StorePath;

namespace {

// Whether there has been no warning of this row yet: one per process is enough, of not more than a hundred
// rows.
bool is_first_warning(std::string_view path) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> said;
  const std::lock_guard lock(mutex);
  return said.size() < 100 && said.emplace(path).second;
}

// A row that we would not have written: another program's, or damage.
void warn_of(std::string_view path, std::string_view why) {
  if (!is_first_warning(path)) return;
  log::warning(
      "the store's database has the row '{}', which is not a store path ({}): it and what it refers to are "
      "left alone",
      printable(path), printable(why));
}

}  // namespace

std::optional<StorePath> path_of_row(std::string_view path) {
  try {
    return StorePath::parse(path);
  } catch (const Error& error) {
    warn_of(path, error.what());
    return std::nullopt;
  }
}

std::optional<nix::ContentAddress> address_of_row(const std::string& text, const StorePath& path) {
  try {
    return nix::ContentAddress::parse(text);
  } catch (const Error& error) {
    if (is_first_warning(path.to_string()))
      log::warning("the store's database: {}: {}: it counts as no address", path.to_string(),
                   printable(error.what()));
    return std::nullopt;
  }
}

uint64_t size_of_row(int64_t number) {
  return number < 0 ? 0 : std::min<uint64_t>(static_cast<uint64_t>(number), 1ULL << 50);
}

std::vector<std::string> split_signatures(const std::string& text) {
  std::vector<std::string> signatures;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    if (end > start) signatures.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return signatures;
}

std::string join_signatures(const std::vector<std::string>& signatures) {
  return fmt::format("{}", fmt::join(signatures, " "));
}

}  // namespace flox::store
