// Names of store paths.
#include "nix/store_path.h"

#include <optional>

#include "fuzz.h"
#include "nix/content_address.h"

namespace flox::fuzz::of_store_path {

void one(std::string_view input) {
  std::optional<nix::StorePath> path;
  if (accepts([&] { path = nix::StorePath::parse(input); })) {
    require(path->to_string() == input, "a store path is written as it was read");
    require(path->base_name() == std::string(path->digest()) + "-" + std::string(path->name()),
            "it has two parts");
    require(input.size() <= 255 && path->base_name().find('/') == std::string::npos, "it is one file name");
    require(nix::StorePath::containing(std::string(input) + "/bin/x") == *path, "its files are in it");
  }
  if (accepts([&] { path = nix::StorePath::from_base_name(input); }))
    require(path->base_name() == input, "a base name is written as it was read");
  if (accepts([&] { path = nix::StorePath::containing(input); }))
    require(input.starts_with(path->to_string()), "a file is below its store path");
  if (accepts([&] { path = nix::ContentAddress::of_nar(sha256(input)).path(input, {}, true); }))
    require(path->name() == input && nix::StorePath::parse(path->to_string()) == *path,
            "a path that we make is one that we read");
}

}  // namespace flox::fuzz::of_store_path
