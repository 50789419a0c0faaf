#include "store/peers/shared_paths.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/data/random.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::store {
namespace {

// More than the largest number of lines take, with those that begin behind a half one.
constexpr size_t bytes_of_digest = 2 * (nix::digest_length + 1);

uint64_t random_number() {
  uint64_t number = 0;
  std::memcpy(&number, random_bytes(sizeof number).data(), sizeof number);
  return number;
}

}  // namespace

SharedPaths::SharedPaths(std::filesystem::path private_file, IsThere is_there, size_t most)
    : private_file_(std::move(private_file)),
      is_there_(std::move(is_there)),
      most_(most),
      node_(random_number()) {
  try {
    read_privates();
  } catch (const std::exception& exception) {
    is_all_private_ = true;
    log::error("other nodes are told of no path: which ones are private cannot be read: {}",
               message_of(exception));
    return;
  }
  try {
    forget_gone_privates();
  } catch (const Error& error) {  // a full disk: that the file holds more than it must harms nobody
    log::warning("paths that have left the store stay in {}: {}", private_file_.string(), error.what());
  }
}

// A line of the file is a digest; a half one is the end of a write that a stop of the machine cut off, and
// its path was never fetched.
void SharedPaths::read_privates() {
  if (!std::filesystem::exists(private_file_)) return;
  const std::string text = read_file(private_file_, (most_ + 1) * bytes_of_digest);
  std::string_view left = text;
  while (!left.empty()) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(line.size() + 1, left.size()));
    if (nix::is_digest(line)) privates_.emplace(line);
  }
}

bool SharedPaths::is_private(std::string_view digest) const {
  const std::lock_guard lock(mutex_);
  return is_all_private_ || privates_.contains(digest);
}

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

bool SharedPaths::is_planned(std::string_view digest) const {
  const auto found = entries_.lower_bound(std::string(digest));
  return found != entries_.end() && found->first.starts_with(digest);
}

// What has left the store comes back only by a realisation that plans it, and says anew whether it is
// private.
void SharedPaths::forget_gone_privates() {
  if (is_all_private_) return;  // the file is not replaced by what is known of it
  const size_t before = privates_.size();
  std::erase_if(privates_,
                [&](const std::string& digest) { return !is_planned(digest) && !is_there_(digest); });
  if (privates_.size() == before) return;
  std::string text;
  for (const std::string& digest : privates_) text.append(digest).push_back('\n');
  write_file_synced(private_file_, text, 0600);
}

void SharedPaths::append_privates(const std::set<std::string>& digests) {
  std::string text = "\n";  // behind a half line
  for (const std::string& digest : digests) text.append(digest).push_back('\n');
  const Fd fd = open_file(private_file_, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  write_all(fd.get(), text);
  if (::fdatasync(fd.get()) != 0) fail_errno(errno, "writing {}", private_file_.string());
}

SharedPaths::Realisation::Realisation(SharedPaths& shared, bool is_private, bool in_no_hurry)
    : shared_(shared), is_private_(is_private), in_no_hurry_(in_no_hurry), is_undecided_(!in_no_hurry) {
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
  if (const std::string digest(info.path.digest()); is_private_ && !shared_.privates_.contains(digest))
    new_privates_.insert(digest);
}

void SharedPaths::Realisation::planned() {
  const std::lock_guard lock(shared_.mutex_);
  if (std::exchange(is_undecided_, false)) --shared_.undecided_;
  if (new_privates_.empty()) return;
  if (shared_.privates_.size() + new_privates_.size() > shared_.most_) shared_.forget_gone_privates();
  if (shared_.privates_.size() + new_privates_.size() > shared_.most_)
    throw Error(
        ErrorKind::unavailable,
        fmt::format("more than {} paths of the store were fetched with tokens of pods", shared_.most_),
        "Collect garbage with flox store gc.");
  shared_.append_privates(new_privates_);
  shared_.privates_.insert(new_privates_.begin(), new_privates_.end());
  new_privates_.clear();
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
