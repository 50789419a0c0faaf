// What the starts of an environment have read until they were ready, so that the next one on this node need
// not wait for it part by part (docs/explanation/lazy-files.md).
//
//   DIRECTORY/KEY.json   one environment, whatever its packages' versions (docs/formats/start-profile.md)
//   DIRECTORY/lock       locked by who writes: floxd, and who brings a profile from another node
#pragma once

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "catalog/start_profile.h"
#include "nix/store_path.h"

namespace flox::node {

using catalog::StartProfile;

// Thread-safe, and safe beside other processes.
class StartProfiles {
 public:
  // The directory is made with the first one that is kept. Of over `most` environments, those that were kept
  // longest ago give way.
  explicit StartProfiles(std::filesystem::path directory, size_t most = 256)
      : directory_(std::move(directory)), most_(most) {}

  // Of an environment of these packages, or of other versions of them. Nothing if there is none, or none that
  // can be read: that is logged.
  std::optional<StartProfile> find(const std::vector<nix::StorePath>& packages) const;
  // In place of the one before, with what that has of the same paths, and of other versions of those of which
  // nothing was read. Whole and on the disk, or Error.
  void keep(const std::vector<nix::StorePath>& packages, StartProfile profile);
  size_t count() const;

  // --- for people, who name one by its KEY.
  static std::string key_of(const std::vector<nix::StorePath>& packages);
  std::vector<std::string> keys() const;  // sorted
  // Throws Error: invalid_input for what is no key, or no profile; not_found.
  StartProfile read(std::string_view key) const;
  // Merges a profile of another node with the one of the same packages, which it must say. Gives the key.
  std::string import(StartProfile profile);

 private:
  std::filesystem::path place_of(const std::vector<nix::StorePath>& packages) const;
  Fd lock() const;
  void write(const std::filesystem::path& place, const StartProfile& profile) const;

  const std::filesystem::path directory_;
  const size_t most_;
  std::mutex keeping_;
};

}  // namespace flox::node
