#include "store/fetch/delta_base.h"

#include <algorithm>

namespace flox::store {
namespace {

constexpr size_t most_candidates = 64;  // that the database is asked for
constexpr size_t most_bases = 2;        // each is read as a whole
constexpr uint64_t most_times = 8;      // as large, or as small, as the path itself

}  // namespace

std::string package_stem(std::string_view name) {
  std::string stem;
  for (bool first = true; !name.empty(); first = false) {
    const size_t dash = name.find('-');
    const std::string_view part = name.substr(0, dash);
    name.remove_prefix(dash == std::string_view::npos ? name.size() : dash + 1);
    const bool is_version = !first && !part.empty() && part.front() >= '0' && part.front() <= '9';
    if (!is_version) stem.append(stem.empty() ? "" : "-").append(part);
  }
  return stem;
}

std::vector<StorePath> DeltaBases::find(const PathInfo& wanted) {
  std::vector<StorePath> candidates;
  {
    const std::lock_guard lock(mutex_);
    if (!has_looked_)
      for (const StorePath& path : store_.valid_paths()) by_stem_[package_stem(path.name())].push_back(path);
    has_looked_ = true;
    if (const auto found = by_stem_.find(package_stem(wanted.path.name())); found != by_stem_.end())
      candidates = found->second;
  }
  std::erase(candidates, wanted.path);
  if (candidates.size() > most_candidates)
    candidates.erase(candidates.begin() + most_candidates, candidates.end());
  if (candidates.empty()) return {};
  store_.add_temp_roots({candidates.begin(), candidates.end()});  // before they are looked for
  std::vector<PathInfo> infos;
  for (const StorePath& path : candidates)
    if (auto info = store_.query(path); info && info->nar_size / most_times <= wanted.nar_size &&
                                        wanted.nar_size / most_times <= info->nar_size)
      infos.push_back(std::move(*info));
  std::ranges::stable_sort(infos, std::ranges::greater{}, &PathInfo::registration_time);
  std::vector<StorePath> bases;
  for (const PathInfo& info : infos)
    if (bases.size() < most_bases) bases.push_back(info.path);
  return bases;
}

}  // namespace flox::store
