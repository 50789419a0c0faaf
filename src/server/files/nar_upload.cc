#include "server/files/nar_upload.h"

#include <fcntl.h>

#include <cerrno>

#include "base/error.h"
#include "nix/cache_layout.h"

namespace flox::server {
namespace {

// How many uploads are decompressed while they arrive: each needs up to 10 MiB. The others are read again
// once their narinfo comes.
constexpr int most_unpacking = 4;
// What a file may unpack to while it arrives; more is unpacked once its narinfo has said how much it is to
// be.
constexpr uint64_t plain_size = 64ULL << 20;
constexpr uint64_t usual_ratio = 200;

struct UnpacksToMore {};  // than that

}  // namespace

void NarInfoUpload::write(std::string_view piece) {
  if (text.size() + piece.size() > nix::max_narinfo_size)
    throw StatusError(413, ErrorKind::invalid_input,
                      fmt::format("the narinfo is over {} bytes", nix::max_narinfo_size));
  text.append(piece);
}

NarUpload::NarUpload(CacheFiles& cache, std::string name, std::optional<std::string> compression)
    : cache_(cache), compression_(std::move(compression)), file_name_(std::move(name)) {}

NarUpload::~NarUpload() {
  if (decompressor_) --cache_.unpacking_;
  if (!is_kept_) cache_.release(size_);
  try {
    if (fd_ && !file_name_.empty() && !is_moved_) cache_.store_.spool().remove(file_name_);
  } catch (const Error&) {  // the next start removes it
  }
}

// NFS and some others have no files without a name (open(2), O_TMPFILE).
Fd NarUpload::open_spooled() {
  const Directory& spool = cache_.store_.spool();
  Fd fd(::openat(spool.fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
  if (!fd && errno != EOPNOTSUPP && errno != EISDIR)
    fail_errno(errno, "making a file for an upload in {}", spool.name());
  if (!fd) return spool.open(file_name_, O_RDWR | O_CREAT | O_EXCL, 0644);
  file_name_.clear();
  return fd;
}

void NarUpload::open() {
  fd_ = open_spooled();
  if (!compression_) return;
  if (++cache_.unpacking_ > most_unpacking) {
    --cache_.unpacking_;
    return;
  }
  decompressor_ = store::make_decompressor(*compression_,
                                           [this](std::string_view piece) {
                                             nar_hash_.update(piece);
                                             nar_size_ += piece.size();
                                             if (nar_size_ > plain_size + usual_ratio * size_)
                                               throw UnpacksToMore();
                                           },
                                           {.memory = store::usual_decompressor_memory});
}

SpooledFile NarUpload::spooled(const Sha256Digest& hash) {
  if (!fd_) open();
  return {.name = file_name_, .fd = fd_.get(), .size = size_, .hash = hash};
}

void NarUpload::write(std::string_view piece) {
  if (!fd_) open();
  if (!compression_ && size_ + piece.size() > nix::max_index_size)
    throw StatusError(413, ErrorKind::invalid_input,
                      fmt::format("the index is over {} bytes", nix::max_index_size));
  if (size_ + piece.size() > cache_.limits_.max_upload)
    throw StatusError(413, ErrorKind::invalid_input,
                      fmt::format("the file is over {} bytes", cache_.limits_.max_upload),
                      "Ask the operator to raise the limit: flox-catalog --max-upload.");
  cache_.reserve(piece.size());
  size_ += piece.size();
  write_all(fd_.get(), piece);
  hash_.update(piece);
  if (decompressor_) unpack(piece);
}

void NarUpload::kept(bool moved) noexcept {
  is_kept_ = true;
  is_moved_ = moved;
  cache_.keep(size_);
}

void NarUpload::unpack(std::string_view piece) {
  try {
    decompressor_->feed(piece);
    return;
  } catch (const store::NeedsMemory&) {  // once its narinfo comes
  } catch (const UnpacksToMore&) {       // so is that
  } catch (const Error& error) {         // told once it is known whether these are the bytes that were meant
    damage_ = error;
  }
  decompressor_.reset();
  --cache_.unpacking_;
}

std::optional<NarContent> NarUpload::content() {
  if (damage_) throw Error(*damage_);
  if (!decompressor_) return std::nullopt;
  try {
    decompressor_->finish();
  } catch (const store::NeedsMemory&) {
    return std::nullopt;
  } catch (const UnpacksToMore&) {
    return std::nullopt;
  }
  return NarContent{.hash = nar_hash_.finish(), .size = nar_size_};
}

}  // namespace flox::server
