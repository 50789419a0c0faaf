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
#include "nix/base32.h"
#include "server/files/nar_upload.h"
#include "store/cache/decompress.h"

namespace flox::server {
namespace {

constexpr size_t most_contents = 10'000;        // remembered from uploads until their narinfos come
constexpr size_t most_known_narinfo = 2 << 20;  // bytes: older servers kept larger ones
constexpr size_t most_files = 10'000'000;
constexpr uint64_t nar_size_ratio = 4;  // a NAR's largest size, by that of its file

bool is_base32(std::string_view text, size_t length) {
  return text.size() == length &&
         text.find_first_not_of("0123456789abcdfghijklmnpqrsvwxyz") == std::string_view::npos;
}

struct NarName {
  std::string_view digits;       // of the file's SHA-256
  std::string_view compression;  // as narinfos name it
};

// "nar/<52 digits>.nar[.suffix]".
std::optional<NarName> nar_name(std::string_view name) {
  if (!name.starts_with("nar/")) return std::nullopt;
  name.remove_prefix(4);
  const std::string_view digits = name.substr(0, name.find('.'));
  const std::string_view suffix = name.substr(digits.size());
  using Pair = std::pair<std::string_view, std::string_view>;
  for (const auto& [known, compression] :
       {Pair{".nar", "none"}, Pair{".nar.zst", "zstd"}, Pair{".nar.xz", "xz"}, Pair{".nar.bz2", "bzip2"},
        Pair{".nar.br", "br"}, Pair{".nar.gz", "gzip"}})
    if (suffix == known && is_base32(digits, 52)) return NarName{digits, compression};
  return std::nullopt;
}

std::optional<std::string_view> narinfo_digest(std::string_view name) {
  if (!name.ends_with(".narinfo")) return std::nullopt;
  name.remove_suffix(8);
  return is_base32(name, 32) ? std::optional(name) : std::nullopt;
}

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

// The URL line alone: a narinfo that is damaged elsewhere names its NAR, too.
std::string url_of(std::string_view narinfo) {
  constexpr std::string_view key = "URL: ";
  const size_t line = narinfo.starts_with(key) ? 0 : narinfo.find("\nURL: ");
  if (line == std::string_view::npos) return {};
  narinfo.remove_prefix(line + (line == 0 ? 0 : 1) + key.size());
  return std::string(narinfo.substr(0, narinfo.find('\n')));
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
      nars_(directory_.make_directory("nar")),
      uploads_(directory_.make_directory("uploads")) {
  for (const auto& name : uploads_.names(most_files)) uploads_.remove(name);  // what a killed server left
  directory_.write_file("nix-cache-info", "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n");
  used_ = size_of(directory_) + size_of(nars_) + size_of(Directory(fs::absolute(path_).parent_path()));
}

std::optional<std::filesystem::path> CacheFiles::find(std::string_view name) const {
  if (name != "nix-cache-info" && !nar_name(name) && !narinfo_digest(name)) return std::nullopt;
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
  if (const auto nar = nar_name(name))
    return std::make_shared<NarUpload>(*this, upload_name(), std::string(nar->compression));
  if (narinfo_digest(name)) return std::make_shared<NarInfoUpload>();
  throw Error(ErrorKind::invalid_input,
              fmt::format("'{}' is not a file of a binary cache", name.substr(0, 200)),
              "Use <digest>.narinfo or nar/<hash>.nar[.zst|.xz|.bz2|.br|.gz].");
}

void CacheFiles::accept(std::string_view name, UploadSink& upload) {
  if (auto* nar = dynamic_cast<NarUpload*>(&upload)) return accept_nar(name, *nar);
  const auto digest = narinfo_digest(name);
  auto* narinfo = dynamic_cast<NarInfoUpload*>(&upload);
  if (!digest || narinfo == nullptr) fail(ErrorKind::internal, "an upload of an unknown kind");
  in_context(name, [&] { accept_narinfo(*digest, narinfo->text); });
}

void CacheFiles::accept_nar(std::string_view name, NarUpload& upload) {
  const int fd = upload.fd();
  const std::string actual = nix::to_base32(bytes_of(upload.file_hash()));
  if (actual != nar_name(name)->digits)
    fail(ErrorKind::untrusted, "{}: the content's hash is {}, not what its name says", name, actual);
  const auto content = in_context(name, [&] { return upload.content(); });
  const std::string file(name.substr(4));
  const std::scoped_lock lock(mutex_);
  if (content) {
    if (contents_.size() >= most_contents) contents_.clear();
    contents_.insert_or_assign(std::string(name), *content);
  }
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

void CacheFiles::write(const std::string& name, std::string_view text) {
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
  const std::string name = std::string(digest) + ".narinfo";
  if (!find(name)) return std::nullopt;
  try {
    nix::NarInfo known = nix::NarInfo::parse(directory_.read_file(name, most_known_narinfo));
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

std::vector<nix::NarInfo> CacheFiles::closure(const nix::StorePathSet& paths) const {
  std::vector<nix::NarInfo> result;
  nix::StorePathSet seen = paths;
  std::vector<nix::StorePath> open(paths.begin(), paths.end());
  while (!open.empty()) {
    const nix::StorePath path = open.back();
    open.pop_back();
    auto known = narinfo(path);
    if (!known)
      throw Error(ErrorKind::invalid_input, fmt::format("{} is not in the cache", path.to_string()),
                  "Upload the closure first, as flox publish does.");
    for (const auto& reference : known->info.references)
      if (seen.insert(reference).second) open.push_back(reference);
    result.push_back(std::move(*known));
  }
  return result;
}

void CacheFiles::accept_narinfo(std::string_view digest, const std::string& text) {
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
  if (merge(digest, given)) return;
  check_narinfo(digest, given);
  const std::scoped_lock lock(mutex_);
  if (narinfo_of(digest))  // somebody was quicker
    throw StatusError(409, ErrorKind::conflict,
                      fmt::format("{} is here already", given.info.path.to_string()),
                      "Publish again: it will be found.");
  write(std::string(digest) + ".narinfo", given.to_string());
  contents_.erase(given.url);
}

// Adds the signatures to a path that is here; false if it is not.
bool CacheFiles::merge(std::string_view digest, const nix::NarInfo& given) {
  const std::scoped_lock lock(mutex_);
  auto known = narinfo_of(digest);
  if (!known) return false;
  if (known->info.fingerprint() != given.info.fingerprint())
    throw Error(ErrorKind::conflict,
                fmt::format("{} is here already, with other content", known->info.path.to_string()),
                "Build it so that it gets another store path: a store path never changes.");
  if (known->url != given.url)
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} is here already, as {}", known->info.path.to_string(), known->url),
        "Only signatures can be added to a published path: publish again, and its file will be found.");
  if (known->compression != given.compression || known->file_hash != given.file_hash ||
      known->file_size != given.file_size)
    fail(ErrorKind::untrusted, "its Compression, FileHash or FileSize is not that of {}", known->url);
  const std::vector<std::string> before = known->info.signatures;
  // Those that are there come first, so that a flood cannot displace them.
  std::vector<std::string> signatures = before;
  signatures.insert(signatures.end(), given.info.signatures.begin(), given.info.signatures.end());
  known->info.signatures = signatures;
  known->info.signatures =
      keys_.empty() ? plausible_signatures(signatures) : keys_.valid_signatures(known->info);
  if (known->info.signatures != before) write(std::string(digest) + ".narinfo", known->to_string());
  return true;
}

void CacheFiles::check_narinfo(std::string_view digest, const nix::NarInfo& given) {
  const auto name = nar_name(given.url);
  if (!name || !find(given.url))
    fail(ErrorKind::not_found, "its NAR {} is not here; it must be uploaded first", given.url.substr(0, 200));
  if (name->compression != given.compression)
    fail(ErrorKind::invalid_input, "its Compression is '{}', the name of its NAR says {}",
         given.compression.substr(0, 100), name->compression);
  const std::string file = given.url.substr(4);
  const Fd fd = nars_.open(file, O_RDONLY);
  ::futimens(fd.get(), nullptr);  // no orphan while it is looked at
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining {}", file);
  if (!given.file_hash || nix::to_base32(bytes_of(*given.file_hash)) != name->digits ||
      given.file_size != static_cast<uint64_t>(status.st_size))
    fail(ErrorKind::untrusted, "its FileHash or FileSize is not that of {}", given.url);
  for (const auto& reference : given.info.references)
    if (reference.digest() != digest && !narinfo(reference))
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

size_t CacheFiles::remove_orphans() {
  std::set<std::string, std::less<>> named;
  for (const auto& name : directory_.names(most_files)) {
    const auto digest = narinfo_digest(name);
    if (!digest) continue;
    const Fd fd = directory_.open(name, O_RDONLY);
    std::string text(NarInfoUpload::limit, '\0');
    text.resize(read_some(fd.get(), text.data(), text.size()));
    if (auto url = url_of(text); !url.empty()) named.insert(std::move(url));
  }
  const auto is_old = [&](const std::string& file) {
    const auto status = nars_.status(file);
    return status && S_ISREG(status->st_mode) &&
           status->st_mtime < ::time(nullptr) - std::chrono::seconds(limits_.orphan_age).count();
  };
  size_t removed = 0;
  for (const auto& file : nars_.names(most_files)) {
    if (named.contains("nar/" + file) || !is_old(file)) continue;
    const std::scoped_lock lock(mutex_);
    if (!is_old(file)) continue;  // its narinfo has just come
    used_ -= static_cast<uint64_t>(nars_.status(file)->st_size);
    nars_.remove(file);
    contents_.erase("nar/" + file);
    ++removed;
  }
  return removed;
}

}  // namespace flox::server
