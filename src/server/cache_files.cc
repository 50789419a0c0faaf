#include "server/cache_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "nix/base32.h"

namespace flox::server {
namespace {

bool is_base32(std::string_view text, size_t length) {
  return text.size() == length &&
         text.find_first_not_of("0123456789abcdfghijklmnpqrsvwxyz") == std::string_view::npos;
}

// "nar/<52 digits>.nar[.suffix]": the digits.
std::optional<std::string_view> nar_hash(std::string_view name) {
  if (!name.starts_with("nar/")) return std::nullopt;
  name.remove_prefix(4);
  std::string_view digits = name.substr(0, name.find('.'));
  std::string_view suffix = name.substr(digits.size());
  for (std::string_view known : {".nar", ".nar.zst", ".nar.xz", ".nar.bz2", ".nar.br", ".nar.gz"})
    if (suffix == known && is_base32(digits, 52)) return digits;
  return std::nullopt;
}

std::optional<std::string_view> narinfo_digest(std::string_view name) {
  if (!name.ends_with(".narinfo")) return std::nullopt;
  name.remove_suffix(8);
  return is_base32(name, 32) ? std::optional(name) : std::nullopt;
}

Sha256Digest hash_file(const std::filesystem::path& path) {
  Fd fd = open_file(path, O_RDONLY);
  Sha256 hash;
  std::array<char, 65536> buffer;
  while (size_t got = read_some(fd.get(), buffer.data(), buffer.size())) hash.update({buffer.data(), got});
  return hash.finish();
}

void sync(const fs::path& path) {
  Fd fd = open_file(path, O_RDONLY);
  if (::fsync(fd.get()) != 0) fail_errno(errno, "writing {} to disk", path.string());
}

// Gives an uploaded file its name: the content is on disk before the name is, and the name before we say so.
void keep(const fs::path& uploaded, const fs::path& target) {
  sync(uploaded);
  fs::rename(uploaded, target);
  sync(target.parent_path());
}

}  // namespace

CacheFiles::CacheFiles(std::filesystem::path directory) : directory_(std::move(directory)) {
  fs::create_directories(directory_ / "nar");
  fs::remove_all(upload_directory());  // what a killed server left
  fs::create_directories(upload_directory());
  write_file(directory_ / "nix-cache-info", "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n");
}

std::optional<std::filesystem::path> CacheFiles::find(std::string_view name) const {
  if (name != "nix-cache-info" && !nar_hash(name) && !narinfo_digest(name)) return std::nullopt;
  fs::path path = directory_ / name;
  return fs::is_regular_file(path) ? std::optional(path) : std::nullopt;
}

std::optional<nix::NarInfo> CacheFiles::narinfo_of(std::string_view digest) const {
  auto file = find(std::string(digest) + ".narinfo");
  if (!file) return std::nullopt;
  try {
    nix::NarInfo known = nix::NarInfo::parse(read_file(*file));
    return find(known.url) ? std::optional(std::move(known)) : std::nullopt;
  } catch (const Error& error) {
    log::warning("{}: {}", file->string(), error.what());
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
    nix::StorePath path = open.back();
    open.pop_back();
    auto known = narinfo(path);
    if (!known)
      throw Error(ErrorKind::invalid_input, fmt::format("{} is not in the cache", path.to_string()),
                  "upload the closure first, as flox publish does");
    for (const auto& reference : known->info.references)
      if (seen.insert(reference).second) open.push_back(reference);
    result.push_back(std::move(*known));
  }
  return result;
}

void CacheFiles::accept(std::string_view name, const fs::path& uploaded) {
  if (auto digits = nar_hash(name)) {
    std::string actual = nix::to_base32(bytes_of(hash_file(uploaded)));
    if (actual != *digits)
      fail(ErrorKind::untrusted, "{}: the content's hash is {}, not what its name says", name, actual);
    keep(uploaded, directory_ / name);
  } else if (auto digest = narinfo_digest(name)) {
    in_context(name, [&] { accept_narinfo(*digest, uploaded); });
  } else {
    throw Error(ErrorKind::invalid_input, fmt::format("'{}' is no file of a binary cache", name),
                "names are <digest>.narinfo and nar/<hash>.nar[.zst|.xz|.bz2|.br|.gz]");
  }
}

void CacheFiles::accept_narinfo(std::string_view digest, const fs::path& uploaded) {
  nix::NarInfo given = check_narinfo(digest, uploaded);
  std::scoped_lock lock(narinfo_mutex_);
  if (auto known = narinfo_of(digest)) {
    if (known->info.fingerprint() != given.info.fingerprint())
      throw Error(ErrorKind::conflict,
                  fmt::format("{} is here already, with other content", known->info.path.to_string()),
                  "a store path never changes: what was built anew must have another path");
    auto& signatures = given.info.signatures;
    for (auto& signature : known->info.signatures)
      if (std::ranges::find(signatures, signature) == signatures.end())
        signatures.push_back(std::move(signature));
    write_file(uploaded, given.to_string());
  }
  keep(uploaded, directory_ / (std::string(digest) + ".narinfo"));
}

nix::NarInfo CacheFiles::check_narinfo(std::string_view digest, const fs::path& uploaded) const {
  if (fs::file_size(uploaded) > 1024 * 1024)
    fail(ErrorKind::invalid_input, "a narinfo of over 1 MiB is none");
  nix::NarInfo given = nix::NarInfo::parse(read_file(uploaded));
  if (given.info.path.digest() != digest)
    fail(ErrorKind::invalid_input, "it describes {}, another path than its name says",
         given.info.path.to_string());
  if (given.info.signatures.empty())
    throw Error(ErrorKind::untrusted, "it bears no signature",
                "publish with a key: flox publish --signing-private-key FILE");
  auto digits = nar_hash(given.url);
  auto nar = find(given.url);
  if (!digits || !nar)
    fail(ErrorKind::not_found, "its NAR {} is not here; it must be uploaded first", given.url);
  if (!given.file_hash || nix::to_base32(bytes_of(*given.file_hash)) != *digits ||
      given.file_size != fs::file_size(*nar))
    fail(ErrorKind::untrusted, "its FileHash or FileSize is not that of {}", given.url);
  for (const auto& reference : given.info.references)
    if (reference != given.info.path && !narinfo(reference))
      fail(ErrorKind::not_found, "its reference {} is not here; it must be uploaded first",
           reference.to_string());
  return given;
}

}  // namespace flox::server
