#include <fmt/format.h>

#include <algorithm>

#include "nix/base32.h"
#include "nix/nar.h"
#include "nix/store_path.h"

namespace flox::nix {

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

Replacer::Replacer(std::string from, std::string to, ByteSink sink)
    : from_(std::move(from)), to_(std::move(to)), sink_(std::move(sink)) {}

void Replacer::update(std::string_view piece) {
  pending_ += piece;
  size_t start = 0;  // where the next occurrence may begin: they do not overlap
  for (size_t at; (at = pending_.find(from_, start)) != std::string::npos; start = at + from_.size()) {
    pending_.replace(at, from_.size(), to_);
    offsets_.push_back(passed_ + at);
  }
  const size_t keep = std::min(pending_.size() - start, from_.size() - 1);
  const size_t pass = pending_.size() - keep;
  if (pass > 0) sink_(std::string_view(pending_).substr(0, pass));
  passed_ += pass;
  pending_.erase(0, pass);
}

void Replacer::finish() {
  if (!pending_.empty()) sink_(pending_);
  pending_.clear();
}

ModuloHash::ModuloHash(const std::string& digest)
    : replacer_(digest, std::string(digest.size(), '\0'),
                [this](std::string_view piece) { hash_.update(piece); }) {}

Sha256Digest ModuloHash::finish() {
  replacer_.finish();
  for (uint64_t offset : replacer_.offsets()) hash_.update(fmt::format("|{}", offset));
  return hash_.finish();
}

}  // namespace flox::nix
