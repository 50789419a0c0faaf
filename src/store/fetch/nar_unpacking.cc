#include "store/fetch/nar_unpacking.h"

#include <utility>

namespace flox::store {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t large_nar = 8 << 20;  // bytes: written by a thread of its own
constexpr size_t block_size = 1 << 20;   // bytes between the two
constexpr size_t blocks_waiting = 4;

nix::NarUnpacker make_unpacker(const fs::path& to) {
  try {
    return nix::NarUnpacker(to, nix::NarUnpacker::SetModes::later);
  } catch (const Error& error) {
    throw LocalFailure(error);
  }
}

}  // namespace

// Those that wait, one being filled, one in the thread's hands.
const uint64_t NarUnpacking::memory = (blocks_waiting + 2) * block_size;

NarUnpacking::NarUnpacking(const nix::PathInfo& info, const fs::path& to)
    : info_(info), unpacker_(make_unpacker(to)) {
  if (info.nar_size >= large_nar)
    writing_.emplace([this](std::string_view piece) { write(piece); }, blocks_waiting);
}

void NarUnpacking::feed(std::string_view piece) {
  size_ += piece.size();
  if (size_ > info_.nar_size)
    fail(ErrorKind::untrusted, "the NAR is larger than the {} bytes that were announced", info_.nar_size);
  if (!writing_) return write(piece);
  while (!piece.empty()) {
    if (!block_) {
      block_ = std::make_shared<std::string>();
      block_->reserve(block_size);
    }
    const std::string_view part = piece.substr(0, block_size - block_->size());
    block_->append(part);
    piece.remove_prefix(part.size());
    if (block_->size() == block_size) writing_->push(std::exchange(block_, nullptr));
  }
}

void NarUnpacking::finish() {
  if (writing_) {
    if (block_) writing_->push(std::exchange(block_, nullptr));
    writing_->finish();
  }
  if (size_ != info_.nar_size)
    fail(ErrorKind::untrusted, "the NAR has {} bytes instead of the announced {}", size_, info_.nar_size);
  unpacker_.finish();
}

void NarUnpacking::write(std::string_view piece) {
  try {
    unpacker_.feed(piece);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::invalid_input) throw;  // malformed
    throw LocalFailure(error);
  }
}

}  // namespace flox::store
