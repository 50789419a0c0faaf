#include "nix/cache_layout.h"

#include <algorithm>

#include "base/error.h"
#include "nix/base32.h"

namespace flox::nix {
namespace {

constexpr std::string_view narinfo_suffix = ".narinfo";
constexpr std::string_view listing_suffix = ".ls";
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
  if (!name.starts_with(nar_directory)) return std::nullopt;
  name.remove_prefix(nar_directory.size());
  if (name.size() < hash_length) return std::nullopt;
  const auto* const found = std::ranges::find(nar_suffixes, name.substr(hash_length), &NarSuffix::suffix);
  if (found == std::end(nar_suffixes)) return std::nullopt;
  NarFileName result{.file_hash = {}, .compression = found->compression};
  try {
    std::ranges::copy(from_base32(name.substr(0, hash_length), result.file_hash.size()),
                      result.file_hash.begin());
  } catch (const Error&) {  // not the name of a file of a cache
    return std::nullopt;
  }
  return result;
}

std::string nar_file_name(const Sha256Digest& file_hash, std::string_view compression) {
  const auto suffix = nar_suffix(compression);
  if (!suffix) fail(ErrorKind::invalid_input, "compression '{}' has no suffix for file names", compression);
  return fmt::format("{}{}{}", nar_directory, to_base32(bytes_of(file_hash)), *suffix);
}

std::string_view media_type_of(std::string_view name) noexcept {
  if (name == cache_info_name) return "text/x-nix-cache-info";
  if (name.ends_with(narinfo_suffix)) return "text/x-nix-narinfo";
  if (name.ends_with(listing_suffix)) return "application/json";
  return "application/x-nix-nar";
}

}  // namespace flox::nix
