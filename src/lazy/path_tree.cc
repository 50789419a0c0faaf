#include "lazy/path_tree.h"

#include <algorithm>
#include <deque>

#include "base/error.h"
#include "nix/listing.h"

namespace flox::lazy {
namespace {

constexpr size_t most_nodes = 4'000'000;
constexpr size_t most_text = size_t{1} << 30;

// Numbers the regular files below `listing` in the order of a NAR.
void number_files(const nix::Listing& listing, std::vector<const nix::Listing*>& files) {
  if (listing.type == nix::Listing::Type::regular) files.push_back(&listing);
  for (const auto& [name, entry] : listing.entries) number_files(entry, files);
}

NodeKind kind_of(const nix::Listing& listing) {
  switch (listing.type) {
    case nix::Listing::Type::regular:
      return NodeKind::regular;
    case nix::Listing::Type::symlink:
      return NodeKind::symlink;
    case nix::Listing::Type::directory:
      break;
  }
  return NodeKind::directory;
}

}  // namespace

PathTree::PathTree(const nix::Listing& listing) {
  std::vector<const nix::Listing*> files;
  number_files(listing, files);
  std::vector<std::pair<const nix::Listing*, uint32_t>> numbers;
  for (const nix::Listing* file : files) {
    numbers.emplace_back(file, static_cast<uint32_t>(numbers.size()));
    file_sizes_.push_back(file->size);
  }
  std::sort(numbers.begin(), numbers.end());

  // Level by level, so that a directory's children stand together.
  std::deque<const nix::Listing*> waiting{&listing};
  nodes_.emplace_back();
  for (uint32_t number = 0; !waiting.empty(); ++number) {
    const nix::Listing& entry = *waiting.front();
    waiting.pop_front();
    Node& node = nodes_[number];
    node.kind = kind_of(entry);
    node.executable = entry.executable;
    if (node.kind == NodeKind::regular) {
      node.size = entry.size;
      node.file = std::lower_bound(numbers.begin(), numbers.end(),
                                   std::pair<const nix::Listing*, uint32_t>(&entry, 0))
                      ->second;
    } else if (node.kind == NodeKind::symlink) {
      node.size = entry.target.size();
      node.target_begin = static_cast<uint32_t>(text_.size());
      text_ += entry.target;
    }
    node.first_child = static_cast<uint32_t>(nodes_.size());
    node.children = static_cast<uint32_t>(entry.entries.size());
    if (nodes_.size() + entry.entries.size() > most_nodes)
      fail(ErrorKind::invalid_input, "it has more than {} files and directories", most_nodes);
    for (const auto& [name, child] : entry.entries) {
      Node next;
      next.parent = number;
      next.name_begin = static_cast<uint32_t>(text_.size());
      next.name_size = static_cast<uint16_t>(name.size());
      text_ += name;
      nodes_.push_back(next);
      waiting.push_back(&child);
    }
    if (text_.size() > most_text)
      fail(ErrorKind::invalid_input, "its names and links take more than {} bytes", most_text);
  }
}

std::optional<uint32_t> PathTree::child(const Node& directory, std::string_view wanted) const noexcept {
  const auto begin = nodes_.begin() + directory.first_child;
  const auto end = begin + directory.children;
  const auto found = std::lower_bound(
      begin, end, wanted, [this](const Node& node, std::string_view text) { return name(node) < text; });
  if (found == end || name(*found) != wanted) return {};
  return static_cast<uint32_t>(found - nodes_.begin());
}

}  // namespace flox::lazy
