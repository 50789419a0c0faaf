#include "server/files/hot_files.h"

namespace flox::server {
namespace {

constexpr size_t entry_overhead = 200;  // bytes: a node of the map, a shared string

size_t bytes_of_entry(std::string_view name, std::string_view text) {
  return name.size() + text.size() + entry_overhead;
}

}  // namespace

HotFiles::Text HotFiles::find(std::string_view name, Time now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() || now >= found->second.until ? nullptr : found->second.text;
}

uint64_t HotFiles::changes() const {
  const std::scoped_lock lock(mutex_);
  return changes_;
}

void HotFiles::add(const std::string& name, Text text, uint64_t changes, Time now) {
  const std::scoped_lock lock(mutex_);
  if (changes != changes_ || text->size() > largest) return;
  if (const auto old = entries_.find(name); old != entries_.end()) erase(old);
  const size_t bytes = bytes_of_entry(name, *text);
  // Those that hold no more go first; if that is not enough, all go.
  if (bytes_ + bytes > most_bytes)
    for (auto it = entries_.begin(); it != entries_.end();) it = now >= it->second.until ? erase(it) : ++it;
  if (bytes_ + bytes > most_bytes) {
    entries_.clear();
    bytes_ = 0;
  }
  bytes_ += bytes;
  entries_.emplace(name, Entry{.text = std::move(text), .until = now + holds});
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
  bytes_ -= bytes_of_entry(entry->first, *entry->second.text);
  return entries_.erase(entry);
}

}  // namespace flox::server
