#include "store/peers/shared_paths.h"

#include <cstring>
#include <utility>

#include "base/data/random.h"

namespace flox::store {
namespace {

uint64_t random_number() {
  uint64_t number = 0;
  std::memcpy(&number, random_bytes(sizeof number).data(), sizeof number);
  return number;
}

}  // namespace

SharedPaths::SharedPaths() : node_(random_number()) {}

PeerHas SharedPaths::state(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return undecided_ > 0 ? PeerHas::undecided : PeerHas::nothing;
  const auto& [realisations, urgent, state, tree] = found->second;
  if (urgent > 0 || state == PeerHas::present) return state;
  return state == PeerHas::planned ? PeerHas::planned_slowly : PeerHas::fetching_slowly;
}

std::optional<SharedPaths::Staged> SharedPaths::staged(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.tree.tree.empty()) return std::nullopt;
  return found->second.tree;
}

SharedPaths::Realisation::Realisation(SharedPaths& shared, bool in_no_hurry)
    : shared_(shared), in_no_hurry_(in_no_hurry), is_undecided_(!in_no_hurry) {
  const std::lock_guard lock(shared_.mutex_);
  if (is_undecided_) ++shared_.undecided_;
}

void SharedPaths::Realisation::plan(const nix::PathInfo& info) {
  const std::string name = peer_name(info);
  const std::lock_guard lock(shared_.mutex_);
  Entry& entry = shared_.entries_[name];
  ++entry.realisations;
  if (!in_no_hurry_) ++entry.urgent;
  names_.push_back(name);
}

void SharedPaths::Realisation::planned() {
  const std::lock_guard lock(shared_.mutex_);
  if (std::exchange(is_undecided_, false)) --shared_.undecided_;
}

void SharedPaths::Realisation::fetching(const nix::PathInfo& info) {
  const std::lock_guard lock(shared_.mutex_);
  const auto found = shared_.entries_.find(peer_name(info));
  if (found != shared_.entries_.end() && found->second.state == PeerHas::planned)
    found->second.state = PeerHas::fetching;
}

void SharedPaths::Realisation::present(const nix::PathInfo& info, std::filesystem::path tree) {
  const std::lock_guard lock(shared_.mutex_);
  ++shared_.progress_;
  const auto found = shared_.entries_.find(peer_name(info));
  if (found == shared_.entries_.end()) return;
  found->second.state = PeerHas::present;
  found->second.tree = {.tree = std::move(tree), .nar_size = info.nar_size};
}

SharedPaths::Realisation::~Realisation() {
  const std::lock_guard lock(shared_.mutex_);
  if (is_undecided_) --shared_.undecided_;
  for (const std::string& name : names_) {
    const auto found = shared_.entries_.find(name);
    if (found == shared_.entries_.end()) continue;
    if (!in_no_hurry_) --found->second.urgent;
    if (--found->second.realisations == 0) shared_.entries_.erase(found);
  }
}

}  // namespace flox::store
