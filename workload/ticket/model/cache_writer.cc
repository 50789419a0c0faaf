#include "ticket/model/cache_writer.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "ticket/model/model_cache.h"

namespace ticket::model {

namespace fs = std::filesystem;
using flox::ErrorKind;
using flox::fail;
using namespace std::chrono_literals;

namespace {

void make_directories(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) flox::fail_errno(error.value(), "making the directory {}", directory.string());
}

// The hash that the Hub names a file by: SHA-256 of large files, git's SHA-1 of "blob SIZE\0" and the content
// of others.
class ContentHash {
 public:
  explicit ContentHash(const HubFile& file) {
    const bool sha256 = file.hash.size() == 64;
    if (EVP_DigestInit_ex(context_.get(), sha256 ? EVP_sha256() : EVP_sha1(), nullptr) != 1)
      fail(ErrorKind::internal, "starting a hash");
    if (!sha256) update(fmt::format("blob {}", file.size) + '\0');
  }
  void update(std::string_view data) { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }
  // In hex. Call once.
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

// Adds what `fd` holds from its position on.
void add_file(int fd, ContentHash& hash) {
  std::vector<char> buffer(1 << 20);
  while (size_t size = flox::read_some(fd, buffer.data(), buffer.size())) hash.update({buffer.data(), size});
}

std::optional<uint64_t> size_of(const fs::path& path) {
  std::error_code error;
  uintmax_t size = fs::file_size(path, error);
  return error ? std::nullopt : std::optional<uint64_t>(size);
}

enum class Lock { taken, busy, impossible };

Lock try_lock(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Lock::busy;
    if (errno != EINTR) return Lock::impossible;  // ENOLCK, EOPNOTSUPP: a file system without locks
  }
  return Lock::taken;
}

}  // namespace

CacheWriter::CacheWriter(fs::path cache, const HubModel& model)
    : cache_(std::move(cache)),
      folder_(cache_ / cache_folder_name(model.id)),
      snapshot_(folder_ / "snapshots" / model.commit),
      model_(model) {
  for (const fs::path& directory : {folder_ / "blobs", folder_ / "refs", snapshot_})
    make_directories(directory);
}

bool CacheWriter::has(const HubFile& file, bool check_content) const {
  for (const fs::path& place : {blob(file), snapshot_ / file.name}) {
    if (size_of(place) != file.size) continue;
    if (!check_content) return true;
    flox::Fd content = flox::open_file(place, O_RDONLY);
    ContentHash hash(file);
    add_file(content.get(), hash);
    if (hash.finish() == file.hash) return true;
    fs::remove(fs::canonical(place));
  }
  return false;
}

uint64_t CacheWriter::fetched(const HubFile& file) const {
  if (has(file)) return file.size;
  return std::min(size_of(blob(file).string() + ".incomplete").value_or(0), file.size);
}

uint64_t CacheWriter::fetch(Hub& hub, const HubFile& file, const std::function<void(uint64_t)>& progress) {
  if (has(file)) return 0;
  const fs::path locks = cache_ / ".locks" / folder_.filename();
  make_directories(locks);
  flox::Fd lock = flox::open_file(locks / (file.hash + ".lock"), O_RDWR | O_CREAT, 0666);
  Lock state = try_lock(lock.get());
  for (; state == Lock::busy; state = try_lock(lock.get())) {
    progress(fetched(file));
    std::this_thread::sleep_for(250ms);
  }
  if (has(file)) return 0;  // by the one that had the lock
  fs::path incomplete = blob(file).string() + ".incomplete";
  if (state == Lock::impossible) {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    incomplete = fmt::format("{}.{}-{}.incomplete", blob(file).string(), host.data(), ::getpid());
  }
  return fetch_into(incomplete, hub, file, progress);
}

uint64_t CacheWriter::fetch_into(const fs::path& incomplete, Hub& hub, const HubFile& file,
                                 const std::function<void(uint64_t)>& progress) {
  uint64_t brought = 0;
  for (bool again = false;; again = true) {
    flox::Fd content = flox::open_file(incomplete, O_RDWR | O_CREAT, 0644);
    auto hash = std::make_unique<ContentHash>(file);
    auto restart = [&] {
      if (::ftruncate(content.get(), 0) != 0 || ::lseek(content.get(), 0, SEEK_SET) != 0)
        flox::fail_errno(errno, "emptying {}", incomplete.string());
      hash = std::make_unique<ContentHash>(file);
    };
    uint64_t there = size_of(incomplete).value_or(0);
    if (again || there > file.size) {
      restart();
      there = 0;
    } else {
      add_file(content.get(), *hash);
    }
    while (there < file.size) {
      bool ended = hub.fetch(
          model_, file, there,
          [&] {
            restart();
            there = 0;
          },
          [&](std::string_view piece) {
            if (piece.size() > file.size - there)
              fail(ErrorKind::untrusted,
                   "fetching {} of {}: it is longer than the {} bytes that the Hub tells", file.name,
                   model_.id, file.size);
            flox::write_all(content.get(), piece);
            hash->update(piece);
            there += piece.size();
            brought += piece.size();
            progress(there);
          });
      if (ended) break;
    }
    const std::string found = hash->finish();
    if (there == file.size && found == file.hash) {
      if (::fsync(content.get()) != 0) flox::fail_errno(errno, "writing {}", incomplete.string());
      fs::rename(incomplete, blob(file));
      return brought;
    }
    // Whatever was wrong, no part of it can be told from the rest. Once it may be what an earlier run left.
    if (again) {
      fs::remove(incomplete);
      throw flox::Error(
          ErrorKind::untrusted,
          fmt::format("fetching {} of {}: {} bytes with the hash {} came instead of {} with {}", file.name,
                      model_.id, there, found, file.size, file.hash),
          "Something between here and the Hub changes what is fetched; nothing of it was kept.");
    }
  }
}

void CacheWriter::link(const HubFile& file) {
  const fs::path pointer = snapshot_ / file.name;
  if (size_of(pointer) == file.size) return;
  make_directories(pointer.parent_path());
  const fs::path target = fs::relative(blob(file), pointer.parent_path());
  std::error_code error;
  fs::remove(pointer, error);  // a link to nothing, or to what was there before
  fs::create_symlink(target, pointer, error);
  if (!error || error == std::errc::file_exists) return;
  // No links on this file system: the snapshot gets the file itself, as huggingface_hub does it.
  fs::rename(blob(file), pointer, error);
  if (error && size_of(pointer) != file.size) flox::fail_errno(error.value(), "making {}", pointer.string());
}

void CacheWriter::finish() { flox::write_file(folder_ / "refs" / "main", model_.commit); }

}  // namespace ticket::model
