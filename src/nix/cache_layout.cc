#include "nix/cache_layout.h"

#include <algorithm>

#include "base/error.h"
#include "nix/base32.h"

namespace flox::nix {
namespace {

constexpr std::string_view narinfo_suffix = ".narinfo";
constexpr std::string_view listing_suffix = ".ls";
constexpr std::string_view index_suffix = ".index.zst";
constexpr size_t hash_length = base32_length(sizeof(Sha256Digest));

struct NarSuffix {
  std::string_view compression;
  std::string_view suffix;
};
constexpr NarSuffix nar_suffixes[] = {{"none", ".nar"},      {"zstd", ".nar.zst"}, {"xz", ".nar.xz"},
                                      {"bzip2", ".nar.bz2"}, {"br", ".nar.br"},    {"gzip", ".nar.gz"}};

std::optional<std::string_view> digest_before(std::string_view suffix, std::string_view name) noexcept {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  return is_digest(name) ? std::optional(name) : std::nullopt;
}

// Of "nar/HASH" and the suffix.
std::optional<Sha256Digest> hash_before(std::string_view suffix, std::string_view name) noexcept {
  if (!name.starts_with(nar_directory) || !name.ends_with(suffix) ||
      name.size() != nar_directory.size() + hash_length + suffix.size())
    return std::nullopt;
  try {
    Sha256Digest hash{};
    std::ranges::copy(from_base32(name.substr(nar_directory.size(), hash_length), hash.size()), hash.begin());
    return hash;
  } catch (const Error&) {  // not the name of a file of a cache
    return std::nullopt;
  }
}

}  // namespace

std::string narinfo_name(std::string_view digest) { return std::string(digest).append(narinfo_suffix); }

std::string listing_name(const StorePath& path) { return std::string(path.digest()).append(listing_suffix); }

std::optional<std::string_view> digest_of_narinfo_name(std::string_view name) noexcept {
  return digest_before(narinfo_suffix, name);
}

std::optional<std::string_view> digest_of_listing_name(std::string_view name) noexcept {
  return digest_before(listing_suffix, name);
}

std::optional<std::string_view> nar_suffix(std::string_view compression) noexcept {
  const auto* const found = std::ranges::find(nar_suffixes, compression, &NarSuffix::compression);
  return found != std::end(nar_suffixes) ? std::optional(found->suffix) : std::nullopt;
}

std::optional<NarFileName> NarFileName::parse(std::string_view name) {
  if (name.size() < nar_directory.size() + hash_length) return std::nullopt;
  const auto* const found =
      std::ranges::find(nar_suffixes, name.substr(nar_directory.size() + hash_length), &NarSuffix::suffix);
  if (found == std::end(nar_suffixes)) return std::nullopt;
  const auto hash = hash_before(found->suffix, name);
  if (!hash) return std::nullopt;
  return NarFileName{.file_hash = *hash, .compression = found->compression};
}

std::string nar_file_name(const Sha256Digest& file_hash, std::string_view compression) {
  const auto suffix = nar_suffix(compression);
  if (!suffix) fail(ErrorKind::invalid_input, "compression '{}' has no suffix for file names", compression);
  return fmt::format("{}{}{}", nar_directory, to_base32(bytes_of(file_hash)), *suffix);
}

std::string index_file_name(const Sha256Digest& hash) {
  return fmt::format("{}{}{}", nar_directory, to_base32(bytes_of(hash)), index_suffix);
}

std::optional<Sha256Digest> hash_of_index_name(std::string_view name) noexcept {
  return hash_before(index_suffix, name);
}

std::optional<Sha256Digest> hash_of_file_name(std::string_view name) noexcept {
  if (const auto nar = NarFileName::parse(name)) return nar->file_hash;
  return hash_of_index_name(name);
}

std::string_view media_type_of(std::string_view name) noexcept {
  if (name == cache_info_name) return "text/x-nix-cache-info";
  if (name.ends_with(narinfo_suffix)) return "text/x-nix-narinfo";
  if (name.ends_with(listing_suffix)) return "application/json";
  if (name.ends_with(index_suffix)) return "application/zstd";
  return "application/x-nix-nar";
}

}  // namespace flox::nix
