#include "oci/closure/layers.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"

namespace flox::oci {
namespace {

// How many paths of the closure need each one, directly or not.
std::map<nix::StorePath, size_t> needed_by(const std::vector<nix::PathInfo>& closure) {
  std::map<nix::StorePath, const nix::PathInfo*> by_path;
  for (const auto& info : closure) by_path.emplace(info.path, &info);
  std::map<nix::StorePath, size_t> counts;
  for (const auto& info : closure) {
    std::set<nix::StorePath> seen{info.path};
    std::vector<const nix::PathInfo*> to_look_at{&info};
    while (!to_look_at.empty()) {
      const nix::PathInfo* one = to_look_at.back();
      to_look_at.pop_back();
      for (const nix::StorePath& reference : one->references)
        if (const auto found = by_path.find(reference);
            found != by_path.end() && seen.insert(reference).second) {
          ++counts[reference];
          to_look_at.push_back(found->second);
        }
    }
  }
  return counts;
}

}  // namespace

std::vector<std::vector<nix::StorePath>> layers_of(const std::vector<nix::PathInfo>& closure,
                                                   const nix::StorePath& last, size_t most) {
  if (most < 3) fail(ErrorKind::internal, "planning an image's layers: {} are too few", most);
  auto counts = needed_by(closure);
  std::vector<nix::StorePath> own, small;
  for (const auto& info : closure)
    if (info.path != last) (info.nar_size >= least_own_layer ? own : small).push_back(info.path);
  std::ranges::sort(own, [&](const nix::StorePath& a, const nix::StorePath& b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
  });
  if (own.size() > most - 2) {
    const auto left = own.begin() + static_cast<std::ptrdiff_t>(most - 2);
    small.insert(small.end(), left, own.end());
    own.erase(left, own.end());
  }
  std::ranges::sort(small);
  std::vector<std::vector<nix::StorePath>> layers;
  for (const nix::StorePath& path : own) layers.push_back({path});
  if (!small.empty()) layers.push_back(std::move(small));
  layers.push_back({last});
  return layers;
}

}  // namespace flox::oci
