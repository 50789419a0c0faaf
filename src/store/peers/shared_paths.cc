#include "store/peers/shared_paths.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "base/data/random.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::store {
namespace {

constexpr size_t most_private_bytes = 64 << 20;

uint64_t random_number() {
  uint64_t number = 0;
  std::memcpy(&number, random_bytes(sizeof number).data(), sizeof number);
  return number;
}

}  // namespace

// A line of the file is a digest; a half one is the end of a write that a stop of the machine cut off, and
// its path was never fetched.
SharedPaths::SharedPaths(std::filesystem::path private_file)
    : private_file_(std::move(private_file)), node_(random_number()) {
  if (!std::filesystem::exists(private_file_)) return;
  const std::string text = read_file(private_file_, most_private_bytes);
  std::string_view left = text;
  while (!left.empty()) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(line.size() + 1, left.size()));
    if (nix::is_digest(line)) privates_.emplace(line);
  }
}

bool SharedPaths::is_private(std::string_view digest) const {
  const std::lock_guard lock(mutex_);
  return privates_.contains(digest);
}

PeerHas SharedPaths::state(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? PeerHas::nothing : found->second.state;
}

std::optional<SharedPaths::Staged> SharedPaths::staged(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.state != PeerHas::present) return std::nullopt;
  return found->second.tree;
}

void SharedPaths::write_privates(const std::set<std::string>& digests) {
  std::string text = "\n";  // behind a half line
  for (const std::string& digest : digests) text.append(digest).push_back('\n');
  const Fd fd = open_file(private_file_, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  write_all(fd.get(), text);
  if (::fdatasync(fd.get()) != 0) fail_errno(errno, "writing {}", private_file_.string());
}

void SharedPaths::Realisation::plan(const nix::PathInfo& info) {
  const std::string name = peer_name(info);
  const std::lock_guard lock(shared_.mutex_);
  ++shared_.entries_[name].realisations;
  names_.push_back(name);
  if (const std::string digest(info.path.digest()); is_private_ && !shared_.privates_.contains(digest))
    new_privates_.insert(digest);
}

void SharedPaths::Realisation::planned() {
  const std::lock_guard lock(shared_.mutex_);
  if (new_privates_.empty()) return;
  shared_.write_privates(new_privates_);
  shared_.privates_.insert(new_privates_.begin(), new_privates_.end());
  new_privates_.clear();
}

void SharedPaths::Realisation::fetching(const nix::PathInfo& info) {
  const std::lock_guard lock(shared_.mutex_);
  const auto found = shared_.entries_.find(peer_name(info));
  if (found != shared_.entries_.end() && found->second.state == PeerHas::planned)
    found->second.state = PeerHas::fetching;
}

void SharedPaths::Realisation::staged(const nix::PathInfo& info, std::filesystem::path tree) {
  const std::lock_guard lock(shared_.mutex_);
  ++shared_.progress_;
  const auto found = shared_.entries_.find(peer_name(info));
  if (found == shared_.entries_.end()) return;
  found->second.state = PeerHas::present;
  found->second.tree = {.tree = std::move(tree), .nar_size = info.nar_size};
}

SharedPaths::Realisation::~Realisation() {
  const std::lock_guard lock(shared_.mutex_);
  for (const std::string& name : names_) {
    const auto found = shared_.entries_.find(name);
    if (found != shared_.entries_.end() && --found->second.realisations == 0) shared_.entries_.erase(found);
  }
}

}  // namespace flox::store
