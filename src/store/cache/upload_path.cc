#include "store/cache/upload_path.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"
#include "nix/listing.h"
#include "nix/nar.h"
#include "store/index/framed_nar.h"

namespace flox::store {
namespace {

[[noreturn]] void fail_changed(const PathInfo& info) {
  throw Error(
      ErrorKind::untrusted,
      fmt::format("{} does not have its registered hash: its files have changed", info.path.to_string()),
      "Run 'flox store verify --repair' to fetch it again: the disk or a program has damaged the store.");
}

// From where a NAR is larger than this, several threads compress it; smaller ones keep the cores busy by
// being many.
constexpr uint64_t worth_threads = 8 << 20;  // bytes

void put(BinaryCache& cache, const std::string& name, const fs::path& file) {
  cache.put(name, file, nix::media_type_of(name));
}

// Puts what is named after itself. False if the cache had it.
bool put_once(BinaryCache& cache, const std::string& name, const fs::path& file) {
  if (cache.has_nar(name)) return false;
  put(cache, name, file);
  return true;
}

// Hashes a NAR on its way, and sees that it is the one that was meant.
class Checked {
 public:
  Checked(const PathInfo& info, ByteSink sink) : info_(info), sink_(std::move(sink)) {}
  void feed(std::string_view piece) {
    size_ += piece.size();
    if (size_ > info_.nar_size) fail_changed(info_);
    hash_.update(piece);
    sink_(piece);
  }
  void finish() {
    if (size_ != info_.nar_size || hash_.finish() != info_.nar_hash) fail_changed(info_);
  }

 private:
  const PathInfo& info_;
  ByteSink sink_;
  Sha256 hash_;
  uint64_t size_ = 0;
};

// Reads the NAR once, into a file; fills in the file's hash and size. Gives its index, if there is to be one.
std::optional<NarIndex> compress_nar(const std::function<void(const ByteSink&)>& write, const NarUpload& how,
                                     const fs::path& to, nix::NarInfo& narinfo) {
  const PathInfo& info = narinfo.info;
  const Fd fd = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
  Sha256 file_hash;
  uint64_t file_size = 0;
  const ByteSink into_file = [&](std::string_view piece) {
    write_all(fd.get(), piece);
    file_hash.update(piece);
    file_size += piece.size();
  };
  std::optional<NarIndex> index;
  if (how.compression.method == "zstd") {
    FramedNar framed(how.compression.level, info.nar_size >= worth_threads ? how.workers : 1, into_file);
    Checked checked(info, [&](std::string_view piece) { framed.feed(piece); });
    write([&](std::string_view piece) { checked.feed(piece); });
    checked.finish();
    index = framed.finish();
  } else {
    const auto compressor = make_compressor(how.compression, info.nar_size, how.workers, into_file);
    Checked checked(info, [&](std::string_view piece) { compressor->feed(piece); });
    write([&](std::string_view piece) { checked.feed(piece); });
    checked.finish();
    compressor->finish();
  }
  narinfo.file_hash = file_hash.finish();
  narinfo.file_size = file_size;
  if (!index || !how.index) return std::nullopt;
  index->nar_hash = info.nar_hash;
  index->file_hash = *narinfo.file_hash;
  return index;
}

}  // namespace

UploadedNar upload_nar(BinaryCache& cache, const PathInfo& info, const NarUpload& how,
                       const std::function<void(const ByteSink&)>& write) {
  const TempDir temporary("flox-upload-");
  const fs::path path = temporary.path() / "nar", index_path = temporary.path() / "index";
  UploadedNar uploaded{.narinfo = {.info = info, .url = {}, .compression = how.compression.method},
                       .was_sent = true};
  nix::NarInfo& narinfo = uploaded.narinfo;
  const auto index = compress_nar(write, how, path, narinfo);
  narinfo.url = nix::nar_file_name(*narinfo.file_hash, how.compression.method);
  uploaded.was_sent = put_once(cache, narinfo.url, path);
  // A tree that is too large to have an index goes without.
  if (const auto packed = index ? index->pack() : std::nullopt) {
    narinfo.index_hash = sha256(*packed);
    write_file(index_path, *packed);
    put_once(cache, nix::index_file_name(*narinfo.index_hash), index_path);
  }
  return uploaded;
}

UploadedNar upload_nar(const LocalStore& store, BinaryCache& cache, const PathInfo& info,
                       const NarUpload& how) {
  const fs::path tree = store.real_path(info.path);
  UploadedNar uploaded =
      upload_nar(cache, info, how, [&](const ByteSink& sink) { nix::write_nar(tree, sink); });
  if (how.listing) {
    const TempDir temporary("flox-upload-");
    write_file(temporary.path() / "listing", nix::list_tree(tree).to_json());
    put(cache, nix::listing_name(info.path), temporary.path() / "listing");
  }
  return uploaded;
}

void upload_narinfo(BinaryCache& cache, nix::NarInfo narinfo, const nix::SecretKey* key) {
  if (key != nullptr) {
    nix::sign(narinfo.info, *key);
    nix::sign_index(narinfo, *key);
  }
  const TempDir temporary("flox-upload-");
  write_file(temporary.path() / "narinfo", narinfo.to_string());
  put(cache, nix::narinfo_name(narinfo.info.path), temporary.path() / "narinfo");
}

}  // namespace flox::store
