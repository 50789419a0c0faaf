#include "server/cache_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/file.h"
#include "nix/base32.h"

namespace flox::server {
namespace {

bool is_base32(std::string_view text, size_t length) {
  return text.size() == length && text.find_first_not_of("0123456789abcdfghijklmnpqrsvwxyz") == std::string_view::npos;
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

// On disk before its name says that it is there.
void sync_file(const std::filesystem::path& path) {
  Fd fd = open_file(path, O_RDONLY);
  if (::fsync(fd.get()) != 0) fail_errno(errno, "writing {} to disk", path.string());
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

bool CacheFiles::has(const nix::StorePath& path) const { return find(std::string(path.digest()) + ".narinfo").has_value(); }

void CacheFiles::accept(std::string_view name, const std::filesystem::path& uploaded) {
  if (auto digits = nar_hash(name)) {
    std::string actual = nix::to_base32(bytes_of(hash_file(uploaded)));
    if (actual != *digits) fail(ErrorKind::untrusted, "{}: the content's hash is {}, not what its name says", name, actual);
  } else if (auto digest = narinfo_digest(name)) {
    in_context(name, [&] { check_narinfo(*digest, uploaded); });
  } else {
    throw Error(ErrorKind::invalid_input, fmt::format("'{}' is no file of a binary cache", name),
                "names are <digest>.narinfo and nar/<hash>.nar[.zst|.xz|.bz2|.br|.gz]");
  }
  sync_file(uploaded);
  fs::rename(uploaded, directory_ / name);
}

void CacheFiles::check_narinfo(std::string_view digest, const std::filesystem::path& uploaded) const {
  if (fs::file_size(uploaded) > 1024 * 1024) fail(ErrorKind::invalid_input, "a narinfo of over 1 MiB is none");
  nix::NarInfo narinfo = nix::NarInfo::parse(read_file(uploaded));
  if (narinfo.info.path.digest() != digest)
    fail(ErrorKind::invalid_input, "it describes {}, another path than its name says", narinfo.info.path.to_string());
  if (narinfo.info.signatures.empty())
    throw Error(ErrorKind::untrusted, "it bears no signature", "publish with a key: flox publish --signing-private-key FILE");
  auto digits = nar_hash(narinfo.url);
  auto nar = find(narinfo.url);
  if (!digits || !nar) fail(ErrorKind::not_found, "its NAR {} is not here; it must be uploaded first", narinfo.url);
  if (!narinfo.file_hash || nix::to_base32(bytes_of(*narinfo.file_hash)) != *digits || narinfo.file_size != fs::file_size(*nar))
    fail(ErrorKind::untrusted, "its FileHash or FileSize is not that of {}", narinfo.url);
  for (const auto& reference : narinfo.info.references)
    if (reference != narinfo.info.path && !has(reference))
      fail(ErrorKind::not_found, "its reference {} is not here; it must be uploaded first", reference.to_string());
}

}  // namespace flox::server
