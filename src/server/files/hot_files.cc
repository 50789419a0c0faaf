#include "server/files/hot_files.h"

namespace flox::server {
namespace {

constexpr size_t entry_overhead = 200;  // bytes: a node of the map, a shared string

size_t bytes_of_entry(std::string_view name, const HotFiles::File& file) {
  return name.size() + (file.text ? file.text->size() : 0) + entry_overhead;
}

}  // namespace

HotFiles::File HotFiles::find(std::string_view name, Time now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() || now >= found->second.until ? File() : found->second.file;
}

uint64_t HotFiles::changes() const {
  const std::scoped_lock lock(mutex_);
  return changes_;
}

void HotFiles::add(const std::string& name, File file, uint64_t changes, Time now) {
  const std::scoped_lock lock(mutex_);
  if (changes != changes_ || (file.text && file.text->size() > largest)) return;
  if (const auto old = entries_.find(name); old != entries_.end()) erase(old);
  const size_t bytes = bytes_of_entry(name, file);
  const size_t open = file.opened ? 1 : 0;
  // Those that hold no more go first; if that is not enough, all go.
  const auto is_full = [&] { return bytes_ + bytes > most_bytes || open_ + open > most_open; };
  if (is_full()) erase_old(now);
  if (is_full()) {
    entries_.clear();
    bytes_ = open_ = 0;
  }
  bytes_ += bytes;
  open_ += open;
  entries_.emplace(name, Entry{.file = std::move(file), .until = now + holds});
}

void HotFiles::forget_old(Time now) {
  const std::scoped_lock lock(mutex_);
  erase_old(now);
}

void HotFiles::erase_old(Time now) {
  for (auto it = entries_.begin(); it != entries_.end();) it = now >= it->second.until ? erase(it) : ++it;
}

void HotFiles::forget(std::string_view name) {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  if (const auto found = entries_.find(name); found != entries_.end()) erase(found);
}

size_t HotFiles::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

HotFiles::Entries::iterator HotFiles::erase(Entries::iterator entry) {
  bytes_ -= bytes_of_entry(entry->first, entry->second.file);
  if (entry->second.file.opened) --open_;
  return entries_.erase(entry);
}

}  // namespace flox::server
