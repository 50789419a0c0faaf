#include "nix/listing.h"

#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "nix/nar.h"
#include "nix/nar_sizes.h"

namespace flox::nix {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Walks the tree in the NAR's order and counts the bytes that the NAR has before each file's data.
class Lister {
 public:
  Listing node(const fs::path& path, size_t depth) {
    if (depth > max_nar_depth)
      fail(ErrorKind::invalid_input, "{}: the tree is more than {} levels deep", path.string(),
           max_nar_depth);
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) fail_errno(errno, "reading {}", path.string());
    Listing listing;
    position_ += node_begin_size;
    if (S_ISREG(status.st_mode)) {
      listing.size = static_cast<uint64_t>(status.st_size);
      listing.executable = (status.st_mode & S_IXUSR) != 0;
      position_ += regular_begin_size(listing.executable);
      listing.nar_offset = position_;
      position_ += padded(listing.size);
    } else if (S_ISLNK(status.st_mode)) {
      listing.type = Listing::Type::symlink;
      listing.target = fs::read_symlink(path);
      position_ += symlink_size(listing.target.size());
    } else if (S_ISDIR(status.st_mode)) {
      listing.type = Listing::Type::directory;
      position_ += directory_begin_size;
      for (const auto& entry : fs::directory_iterator(path)) listing.entries[entry.path().filename()];
      for (auto& [name, child] : listing.entries) {
        position_ += entry_begin_size(name.size());
        child = node(path / name, depth + 1);
        position_ += entry_end_size;
      }
    } else {
      fail(ErrorKind::invalid_input,
           "{} is neither a file nor a directory nor a symlink; a store cannot hold it", path.string());
    }
    position_ += node_end_size;
    return listing;
  }
  uint64_t position() const noexcept { return position_; }

 private:
  uint64_t position_ = nar_magic_size;
};

ordered_json json_of(const Listing& listing) {
  switch (listing.type) {
    case Listing::Type::symlink:
      return {{"type", "symlink"}, {"target", listing.target}};
    case Listing::Type::directory: {
      ordered_json entries = ordered_json::object();
      for (const auto& [name, child] : listing.entries) entries[name] = json_of(child);
      return {{"type", "directory"}, {"entries", std::move(entries)}};
    }
    case Listing::Type::regular:
      break;
  }
  ordered_json json = {{"type", "regular"}, {"size", listing.size}};
  if (listing.executable) json["executable"] = true;
  json["narOffset"] = listing.nar_offset;
  return json;
}

}  // namespace

std::string Listing::to_json() const {
  return ordered_json{{"version", 1}, {"root", json_of(*this)}}.dump(-1, ' ', false,
                                                                     ordered_json::error_handler_t::replace);
}

Listing list_tree(const fs::path& path, uint64_t* nar_size) {
  Lister lister;
  Listing listing = lister.node(path, 0);
  if (nar_size != nullptr) *nar_size = lister.position();
  return listing;
}

}  // namespace flox::nix
