#include "server/files/cache_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "server/files/nar_upload.h"
#include "store/cache/decompress.h"

namespace flox::server {
namespace {

constexpr size_t most_contents = 10'000;  // remembered from uploads until their narinfos come
constexpr size_t most_files = 10'000'000;
constexpr uint64_t nar_size_ratio = 4;  // a NAR's largest size, by that of its file

constexpr int priority = 30;  // of this cache among others

void sync(int fd, const std::string& what) {
  if (::fsync(fd) != 0) fail_errno(errno, "writing {} to disk", what);
}

uint64_t size_of(const Directory& directory) {
  uint64_t size = 0;
  for (const auto& name : directory.names(most_files))
    if (const auto status = directory.status(name); status && S_ISREG(status->st_mode))
      size += static_cast<uint64_t>(status->st_size);
  return size;
}

Directory made(const std::filesystem::path& path) {
  fs::create_directories(path);
  return Directory(path);
}

}  // namespace

CacheFiles::CacheFiles(std::filesystem::path directory, const RegisteredKeys& keys, CacheLimits limits)
    : path_(std::move(directory)),
      keys_(keys),
      limits_(limits),
      directory_(made(path_)),
      nars_(directory_.make_directory(nix::nar_directory.substr(0, nix::nar_directory.size() - 1))),
      uploads_(directory_.make_directory("uploads")) {
  for (const auto& name : uploads_.names(most_files)) uploads_.remove(name);  // what a killed server left
  directory_.write_file(nix::cache_info_name,
                        nix::CacheInfo{.want_mass_query = true, .priority = priority}.to_string());
  used_ = size_of(directory_) + size_of(nars_) + size_of(Directory(fs::absolute(path_).parent_path()));
}

std::optional<std::filesystem::path> CacheFiles::find(std::string_view name) const {
  if (name != nix::cache_info_name && !nix::NarFileName::parse(name) && !nix::digest_of_narinfo_name(name))
    return std::nullopt;
  const auto status = directory_.status(name);
  return status && S_ISREG(status->st_mode) ? std::optional(path_ / name) : std::nullopt;
}

void CacheFiles::reserve(uint64_t bytes) {
  const auto full = [&](std::string_view why) {
    throw StatusError(507, ErrorKind::unavailable, fmt::format("the catalog has no space left: {}", why),
                      "Ask its operator for more space.");
  };
  struct statvfs status {};
  if (::fstatvfs(directory_.fd(), &status) == 0 &&
      static_cast<uint64_t>(status.f_bavail) * status.f_frsize < limits_.keep_free + bytes)
    full("its file system is full");
  const uint64_t before = used_.fetch_add(bytes);
  if (limits_.max_store_bytes == 0 || before + bytes <= limits_.max_store_bytes) return;
  used_ -= bytes;
  full("it has as many bytes as it may");
}

std::shared_ptr<UploadSink> CacheFiles::begin(std::string_view name) {
  if (const auto nar = nix::NarFileName::parse(name))
    return std::make_shared<NarUpload>(*this, upload_name(), std::string(nar->compression));
  if (nix::digest_of_narinfo_name(name)) return std::make_shared<NarInfoUpload>();
  throw Error(ErrorKind::invalid_input,
              fmt::format("'{}' is not a file of a binary cache", name.substr(0, 200)),
              "Use <digest>.narinfo or nar/<hash>.nar[.zst|.xz|.bz2|.br|.gz].");
}

void CacheFiles::accept(std::string_view name, UploadSink& upload, const CacheAccess& access) {
  if (auto* nar = dynamic_cast<NarUpload*>(&upload)) return accept_nar(name, *nar, access);
  const auto digest = nix::digest_of_narinfo_name(name);
  auto* narinfo = dynamic_cast<NarInfoUpload*>(&upload);
  if (!digest || narinfo == nullptr) fail(ErrorKind::internal, "an upload of an unknown kind");
  in_context(name, [&] { accept_narinfo(*digest, narinfo->text, access); });
}

void CacheFiles::accept_nar(std::string_view name, NarUpload& upload, const CacheAccess& access) {
  const int fd = upload.fd();
  if (const Sha256Digest actual = upload.file_hash(); actual != nix::NarFileName::parse(name)->file_hash)
    fail(ErrorKind::untrusted, "{}: the content's hash is {}, not what its name says", name,
         nix::hash_text(actual));
  const auto content = in_context(name, [&] { return upload.content(); });
  const std::string file(name.substr(nix::nar_directory.size()));
  const std::scoped_lock lock(mutex_);
  if (content) {
    if (contents_.size() >= most_contents) contents_.clear();
    contents_.insert_or_assign(std::string(name), *content);
  }
  access.grant(std::string(name), !nars_.exists(file));
  // The same bytes, by their hash. Its age begins anew, so that its narinfo can follow.
  if (nars_.exists(file) && ::utimensat(nars_.fd(), file.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0) return;
  keep(fd, upload.file_name(), nars_, file);
  upload.kept();
}

// Gives an uploaded file its name: the content is on disk before the name is, and the name before we say so.
void CacheFiles::keep(int fd, const std::string& upload, const Directory& directory,
                      const std::string& name) {
  sync(fd, name);
  uploads_.rename(upload, directory, name);
  sync(directory.fd(), name);
}

std::string CacheFiles::upload_name() { return fmt::format("upload-{}-{}", ::getpid(), ++upload_number_); }

void CacheFiles::write(const nix::NarInfo& narinfo) {
  const std::string name = nix::narinfo_name(narinfo.info.path);
  const std::string text = narinfo.to_string();
  if (text.size() > nix::max_narinfo_size)
    throw StatusError(
        413, ErrorKind::invalid_input,
        fmt::format("with its signatures it would have {} bytes, and no client reads more than {}",
                    text.size(), nix::max_narinfo_size));
  const auto before = directory_.status(name);
  const uint64_t old_size = before ? static_cast<uint64_t>(before->st_size) : 0;
  reserve(text.size());
  const std::string upload = upload_name();
  try {
    const Fd fd = uploads_.open(upload, O_RDWR | O_CREAT | O_EXCL, 0644);
    write_all(fd.get(), text);
    keep(fd.get(), upload, directory_, name);
  } catch (const Error&) {
    release(text.size());
    uploads_.remove(upload);
    throw;
  }
  release(old_size);
}

std::optional<nix::NarInfo> CacheFiles::narinfo_of(std::string_view digest) const {
  const std::string name = nix::narinfo_name(digest);
  if (!find(name)) return std::nullopt;
  try {
    nix::NarInfo known = nix::NarInfo::parse(directory_.read_file(name, nix::max_narinfo_size));
    return find(known.url) ? std::optional(std::move(known)) : std::nullopt;
  } catch (const Error& error) {
    log::warning("{}: {}", name, error.what());
    return std::nullopt;
  }
}

std::optional<nix::NarInfo> CacheFiles::narinfo(const nix::StorePath& path) const {
  auto known = narinfo_of(path.digest());
  return known && known->info.path == path ? std::move(known) : std::nullopt;
}

std::vector<nix::NarInfo> CacheFiles::closure(const nix::StorePathSet& paths,
                                              const CacheAccess& access) const {
  std::vector<nix::NarInfo> result;
  nix::StorePathSet seen = paths;
  std::vector<nix::StorePath> open(paths.begin(), paths.end());
  while (!open.empty()) {
    const nix::StorePath path = open.back();
    open.pop_back();
    auto known = narinfo(path);
    if (!known || !access.may_read(nix::narinfo_name(path)))
      throw Error(ErrorKind::invalid_input, fmt::format("{} is not in the cache", path.to_string()),
                  "Upload the closure first, as flox publish does.");
    for (const auto& reference : known->info.references)
      if (seen.insert(reference).second) open.push_back(reference);
    result.push_back(std::move(*known));
  }
  return result;
}

void CacheFiles::accept_narinfo(std::string_view digest, const std::string& text, const CacheAccess& access) {
  nix::NarInfo given = nix::NarInfo::parse(text);
  if (given.info.path.digest() != digest)
    fail(ErrorKind::invalid_input, "it describes {}, another path than its name says",
         given.info.path.to_string());
  if (given.info.signatures.empty())
    throw Error(ErrorKind::untrusted, "it bears no signature",
                "Pass a key: flox publish --signing-private-key FILE.");
  const bool any = given.info.signatures.size() > 1;
  given.info.signatures =
      keys_.empty() ? plausible_signatures(given.info.signatures) : keys_.valid_signatures(given.info);
  if (given.info.signatures.empty())
    throw Error(ErrorKind::untrusted,
                keys_.empty()
                    ? "it bears no signature that could be one"
                    : fmt::format("{} a valid signature of a registered key ({})",
                                  any ? "none of its signatures is" : "its signature is not", keys_.names()),
                "The catalog's operator registers public keys: flox-catalog --trusted-key KEY.");
  if (merge(digest, given, access)) return;
  check_narinfo(digest, given, access);
  const std::scoped_lock lock(mutex_);
  if (narinfo_of(digest))  // somebody was quicker
    throw StatusError(409, ErrorKind::conflict,
                      fmt::format("{} is here already", given.info.path.to_string()),
                      "Publish again: it will be found.");
  access.grant(nix::narinfo_name(digest), true);
  write(given);
  contents_.erase(given.url);
}

// Adds the signatures to a path that is here; false if it is not.
bool CacheFiles::merge(std::string_view digest, const nix::NarInfo& given, const CacheAccess& access) {
  const std::string name = nix::narinfo_name(digest);
  if (!access.may_read(name)) {
    // Somebody else's: whoever has the content gets it, compressed as it is here.
    if (!narinfo_of(digest)) return false;
    check_narinfo(digest, given, access);
  }
  const std::scoped_lock lock(mutex_);
  auto known = narinfo_of(digest);
  if (!known) return false;
  if (known->info.fingerprint() != given.info.fingerprint())
    throw Error(ErrorKind::conflict,
                fmt::format("{} is here already, with other content", known->info.path.to_string()),
                "Build it so that it gets another store path: a store path never changes.");
  if (!access.may_read(name)) {
    access.grant(name, false);
    access.grant(known->url, false);
  } else if (known->url != given.url) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} is here already, as {}", known->info.path.to_string(), known->url),
        "Only signatures can be added to a published path: publish again, and its file will be found.");
  }
  if (known->url == given.url && (known->compression != given.compression ||
                                  known->file_hash != given.file_hash || known->file_size != given.file_size))
    fail(ErrorKind::untrusted, "its Compression, FileHash or FileSize is not that of {}", known->url);
  const std::vector<std::string> before = known->info.signatures;
  // Those that are there come first, so that a flood cannot displace them.
  std::vector<std::string> signatures = before;
  signatures.insert(signatures.end(), given.info.signatures.begin(), given.info.signatures.end());
  known->info.signatures = signatures;
  known->info.signatures =
      keys_.empty() ? plausible_signatures(signatures) : keys_.valid_signatures(known->info);
  if (known->info.signatures != before) write(*known);
  return true;
}

void CacheFiles::check_narinfo(std::string_view digest, const nix::NarInfo& given,
                               const CacheAccess& access) {
  const auto name = nix::NarFileName::parse(given.url);
  if (!name || !find(given.url) || !access.may_read(given.url))
    fail(ErrorKind::not_found, "its NAR {} is not here; it must be uploaded first", given.url.substr(0, 200));
  if (name->compression != given.compression)
    fail(ErrorKind::invalid_input, "its Compression is '{}', the name of its NAR says {}",
         given.compression.substr(0, 100), name->compression);
  const std::string file = given.url.substr(nix::nar_directory.size());
  const Fd fd = nars_.open(file, O_RDONLY);
  ::futimens(fd.get(), nullptr);  // no orphan while it is looked at
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining {}", file);
  if (given.file_hash != name->file_hash || given.file_size != static_cast<uint64_t>(status.st_size))
    fail(ErrorKind::untrusted, "its FileHash or FileSize is not that of {}", given.url);
  for (const auto& reference : given.info.references)
    if (reference.digest() != digest &&
        (!narinfo(reference) || !access.may_read(nix::narinfo_name(reference))))
      fail(ErrorKind::not_found, "its reference {} is not here; it must be uploaded first",
           reference.to_string());
  const NarContent content = content_of(given, fd.get());
  if (content.hash != given.info.nar_hash || content.size != given.info.nar_size)
    fail(ErrorKind::untrusted, "its NarHash or NarSize is not that of what {} unpacks to", given.url);
}

// From its upload, or by unpacking the file, as far as it is to unpack to.
NarContent CacheFiles::content_of(const nix::NarInfo& given, int fd) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = contents_.find(given.url); known != contents_.end()) return known->second;
  }
  if (given.info.nar_size > nar_size_ratio * limits_.max_upload)
    fail(ErrorKind::invalid_input, "its NarSize is over {} bytes", nar_size_ratio * limits_.max_upload);
  const auto unpack = [&](uint64_t memory) {
    NarContent content;
    Sha256 hash;
    const auto decompressor = store::make_decompressor(
        given.compression,
        [&](std::string_view piece) {
          content.size += piece.size();
          if (content.size > given.info.nar_size)
            fail(ErrorKind::untrusted, "{} unpacks to more than its NarSize", given.url);
          hash.update(piece);
        },
        {.memory = memory});
    std::string buffer(128 * 1024, '\0');
    for (uint64_t at = 0;;) {
      const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(at));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_errno(errno, "reading {}", given.url);
      if (count == 0) break;
      at += static_cast<uint64_t>(count);
      decompressor->feed({buffer.data(), static_cast<size_t>(count)});
    }
    decompressor->finish();
    content.hash = hash.finish();
    return content;
  };
  try {
    return unpack(store::usual_decompressor_memory);
  } catch (const store::NeedsMemory&) {  // below, once it is nobody else's turn
  }
  const std::scoped_lock one_at_a_time(memory_mutex_);
  return unpack(store::decompressor_memory_limit);
}

size_t CacheFiles::remove_orphans(const std::function<void(const std::string& name)>& told) {
  std::set<std::string, std::less<>> named;
  for (const auto& name : directory_.names(most_files)) {
    if (!nix::digest_of_narinfo_name(name)) continue;
    const Fd fd = directory_.open(name, O_RDONLY);
    std::string text(nix::max_narinfo_size, '\0');
    text.resize(read_some(fd.get(), text.data(), text.size()));
    // A narinfo that is damaged elsewhere names its NAR, too.
    if (const std::string_view url = nix::NarInfo::url_in(text); !url.empty()) named.emplace(url);
  }
  const auto is_old = [&](const std::string& file) {
    const auto status = nars_.status(file);
    return status && S_ISREG(status->st_mode) &&
           status->st_mtime < ::time(nullptr) - std::chrono::seconds(limits_.orphan_age).count();
  };
  size_t removed = 0;
  for (const auto& file : nars_.names(most_files)) {
    const std::string url = std::string(nix::nar_directory) + file;
    if (named.contains(url) || !is_old(file)) continue;
    const std::scoped_lock lock(mutex_);
    if (!is_old(file)) continue;  // its narinfo has just come
    used_ -= static_cast<uint64_t>(nars_.status(file)->st_size);
    nars_.remove(file);
    contents_.erase(url);
    if (told) told(url);
    ++removed;
  }
  return removed;
}

}  // namespace flox::server
