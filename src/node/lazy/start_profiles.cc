#include "node/lazy/start_profiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/data/sha256.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "nix/base32.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view ending = ".json";

}  // namespace

fs::path StartProfiles::place_of(const std::vector<nix::StorePath>& packages) const {
  std::set<std::string> stems;
  for (const nix::StorePath& path : packages) stems.insert(start_profile_stem(path));
  std::string text;
  for (const std::string& stem : stems) text += stem + '\n';
  return directory_ /
         (nix::to_base32(bytes_of(sha256(text)).substr(0, nix::digest_bytes)) + std::string(ending));
}

std::optional<StartProfile> StartProfiles::find(const std::vector<nix::StorePath>& packages) const {
  const fs::path place = place_of(packages);
  try {
    if (!fs::exists(place)) return {};
    return StartProfile::parse(
        Directory(directory_).read_file(place.filename().string(), StartProfile::most_bytes));
  } catch (const std::exception& error) {
    log::warning("{} is not used: {}", place.string(), message_of(error));
    return {};
  }
}

void StartProfiles::keep(const std::vector<nix::StorePath>& packages, StartProfile profile) {
  const std::scoped_lock lock(keeping_);
  profile.add(find(packages).value_or(StartProfile{}));
  if (profile.paths.empty()) return;
  fs::create_directories(directory_);
  fs::permissions(directory_, fs::perms(0700));
  const fs::path place = place_of(packages);
  write_file_synced(place, profile.to_text(), 0600);
  std::vector<std::pair<fs::file_time_type, fs::path>> all;
  for (const auto& entry : fs::directory_iterator(directory_))
    if (entry.path() != place && entry.path().extension() == ending)
      all.emplace_back(entry.last_write_time(), entry.path());
  if (all.size() < most_) return;
  std::ranges::sort(all);
  for (size_t i = 0; i + most_ <= all.size(); ++i) fs::remove(all[i].second);
}

size_t StartProfiles::count() const {
  if (!fs::exists(directory_)) return 0;
  return static_cast<size_t>(std::ranges::count_if(fs::directory_iterator(directory_), [](const auto& entry) {
    return entry.path().extension() == ending;
  }));
}

}  // namespace flox::node
