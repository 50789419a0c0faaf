#include "node/lazy/start_profiles.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/data/sha256.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "nix/base32.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view ending = ".json";
constexpr const char* lock_name = "lock";

}  // namespace

std::string StartProfiles::key_of(const std::vector<nix::StorePath>& packages) {
  std::set<std::string> stems;
  for (const nix::StorePath& path : packages) stems.insert(catalog::start_profile_stem(path));
  std::string text;
  for (const std::string& stem : stems) text += stem + '\n';
  return nix::to_base32(bytes_of(sha256(text)).substr(0, nix::digest_bytes));
}

fs::path StartProfiles::place_of(const std::vector<nix::StorePath>& packages) const {
  return directory_ / (key_of(packages) + std::string(ending));
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

// Makes the directory.
Fd StartProfiles::lock() const {
  fs::create_directories(directory_);
  fs::permissions(directory_, fs::perms(0700));
  Fd lock = Directory(directory_).open(lock_name, O_RDWR | O_CREAT, 0600);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) fail_errno(errno, "locking {}", (directory_ / lock_name).string());
  return lock;
}

void StartProfiles::keep(const std::vector<nix::StorePath>& packages, StartProfile profile) {
  const std::scoped_lock keeping(keeping_);
  if (profile.paths.empty()) return;
  const Fd lock = this->lock();
  profile.packages = packages;
  if (profile.packages.size() > StartProfile::most_packages) profile.packages.clear();
  const StartProfile before = find(packages).value_or(StartProfile{});
  // A start that has read nothing of a new version, because it failed or was somebody's `true`, says nothing
  // about what the next one reads.
  for (StartProfile::Path& path : profile.paths)
    if (path.ranges.empty())
      for (StartProfile::Path& earlier : before.for_closure({path.path}).paths)
        path.ranges = std::move(earlier.ranges);
  profile.add(before);
  write(place_of(packages), profile);
}

std::string StartProfiles::import(StartProfile profile) {
  if (profile.packages.empty())
    throw Error(ErrorKind::invalid_input, "the profile does not say of which packages it is",
                "Take one that this version of floxd has kept: it does so at each start.");
  const std::scoped_lock keeping(keeping_);
  const Fd lock = this->lock();
  StartProfile merged = find(profile.packages).value_or(StartProfile{});
  if (merged.packages.empty()) merged.packages = profile.packages;
  merged.merge(profile);
  write(place_of(profile.packages), merged);
  return key_of(profile.packages);
}

void StartProfiles::write(const fs::path& place, const StartProfile& profile) const {
  write_file_synced(place, profile.to_text(), 0600);
  std::vector<std::pair<fs::file_time_type, fs::path>> all;
  for (const auto& entry : fs::directory_iterator(directory_))
    if (entry.path() != place && entry.path().extension() == ending)
      all.emplace_back(entry.last_write_time(), entry.path());
  if (all.size() < most_) return;
  std::ranges::sort(all);
  for (size_t i = 0; i + most_ <= all.size(); ++i) fs::remove(all[i].second);
}

std::vector<std::string> StartProfiles::keys() const {
  std::vector<std::string> keys;
  if (!fs::exists(directory_)) return keys;
  for (const auto& entry : fs::directory_iterator(directory_))
    if (entry.path().extension() == ending) keys.push_back(entry.path().stem());
  std::ranges::sort(keys);
  return keys;
}

StartProfile StartProfiles::read(std::string_view key) const {
  nix::from_base32(key, nix::digest_bytes);
  const std::string name = std::string(key) + std::string(ending);
  if (!fs::exists(directory_ / name))
    throw Error(ErrorKind::not_found, fmt::format("this node has no start profile {}", key),
                "'flox node profile list' shows those that it has.");
  return StartProfile::parse(Directory(directory_).read_file(name, StartProfile::most_bytes));
}

size_t StartProfiles::count() const {
  if (!fs::exists(directory_)) return 0;
  return static_cast<size_t>(std::ranges::count_if(fs::directory_iterator(directory_), [](const auto& entry) {
    return entry.path().extension() == ending;
  }));
}

}  // namespace flox::node
