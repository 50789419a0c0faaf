// Fetched trees that are complete and verified but not in the store yet. They outlive a killed process, so
// that nobody fetches them again, and they let several realisations of one closure share the work.
#pragma once

#include <filesystem>
#include <optional>

#include "base/os/fd.h"
#include "nix/path_info.h"

namespace flox::store {

class LocalStore;

// A staged tree is DIRECTORY/BOOT.DIGEST.NARHASH: its name says all that is to be known of it, so that the
// rename that brings it there completes it. BOOT is of the machine's boot: after a crash of the machine its
// files may be damaged.
class Staging {
 public:
  explicit Staging(const LocalStore& store);

  // The right to fetch a path, given back when the object goes, or the process. One realisation (Staging)
  // excludes the others; its own threads do not take a path twice.
  class Claim {
   public:
    Claim(Claim&& other) noexcept : fd_(std::exchange(other.fd_, -1)), offset_(other.offset_) {}
    Claim& operator=(Claim&& other) noexcept {
      std::swap(fd_, other.fd_);
      std::swap(offset_, other.offset_);
      return *this;
    }
    ~Claim();

   private:
    friend Staging;
    Claim(int fd, int64_t offset) : fd_(fd), offset_(offset) {}
    int fd_;
    int64_t offset_;
  };
  // Does not wait: nothing if another realisation is fetching it.
  std::optional<Claim> claim(const nix::StorePath& path) const { return claim(path.digest()); }

  std::filesystem::path tree_of(const nix::PathInfo& info) const;
  bool has(const nix::PathInfo& info) const;
  // Takes the tree over by rename. The caller holds the claim.
  void put(const nix::PathInfo& info, const std::filesystem::path& tree) const;
  // Removes what there is of the path's tree.
  void remove(const nix::PathInfo& info) const;
  // Removes trees that nobody has asked for in a day, and those of earlier boots.
  void clean() const;

 private:
  std::optional<Claim> claim(std::string_view digest) const;

  std::filesystem::path directory_;
  std::string boot_;
  Fd claims_;
};

}  // namespace flox::store
