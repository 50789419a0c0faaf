#include <fmt/format.h>

#include <algorithm>

#include "nix/base32.h"
#include "nix/nar.h"

namespace flox::nix {
namespace {

constexpr size_t digest_length = 32;

}  // namespace

ReferenceScanner::ReferenceScanner(std::set<std::string> candidates)
    : candidates_(std::make_move_iterator(candidates.begin()), std::make_move_iterator(candidates.end())) {}

void ReferenceScanner::update(std::string_view piece) {
  if (candidates_.empty()) return;
  // First the windows that start in the piece before, then those within this one.
  const size_t overlap = std::min(piece.size(), digest_length - 1);
  std::string border = tail_ + std::string(piece.substr(0, overlap));
  scan(border);
  scan(piece);
  if (piece.size() >= digest_length - 1) {
    tail_ = piece.substr(piece.size() - (digest_length - 1));
  } else {
    tail_ = border.size() <= digest_length - 1 ? border : border.substr(border.size() - (digest_length - 1));
  }
}

void ReferenceScanner::scan(std::string_view text) {
  for (size_t start = 0; start + digest_length <= text.size();) {
    // From the window's end backwards: a foreign character lets the window jump past it.
    size_t i = digest_length;
    while (i > 0 && is_base32(text[start + i - 1])) --i;
    if (i > 0) {
      start += i;
      continue;
    }
    if (auto match = candidates_.find(text.substr(start, digest_length)); match != candidates_.end()) {
      found_.insert(*match);
      candidates_.erase(match);
    }
    ++start;
  }
}

ModuloHash::ModuloHash(std::string digest) : digest_(std::move(digest)) {}

void ModuloHash::update(std::string_view piece) {
  pending_ += piece;
  size_t done = 0;  // what of `pending_` is hashed
  for (size_t at = pending_.find(digest_); at != std::string::npos; at = pending_.find(digest_, done)) {
    hash_.update(std::string_view(pending_).substr(done, at - done));
    hash_.update(std::string(digest_.size(), '\0'));
    offsets_.push_back(consumed_ + at);
    done = at + digest_.size();
  }
  const size_t keep = std::min(pending_.size() - done, digest_.size() - 1);
  hash_.update(std::string_view(pending_).substr(done, pending_.size() - keep - done));
  consumed_ += pending_.size() - keep;
  pending_.erase(0, pending_.size() - keep);
}

Sha256Digest ModuloHash::finish() {
  hash_.update(pending_);
  for (uint64_t offset : offsets_) hash_.update(fmt::format("|{}", offset));
  return hash_.finish();
}

}  // namespace flox::nix
