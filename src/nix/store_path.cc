#include "nix/store_path.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/error.h"
#include "nix/base32.h"

namespace flox::nix {
namespace {

constexpr size_t max_name_length = 211;  // so that DIGEST-NAME.lock and the like fit into 255 bytes

bool is_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("+-._?=").find(c) != std::string_view::npos;
}

// Refuses what current Nix refuses (docs/formats/store-path.md).
void check_name(std::string_view name) {
  if (name.empty()) fail(ErrorKind::invalid_input, "the name is empty");
  if (name.size() > max_name_length)
    fail(ErrorKind::invalid_input, "the name is {} characters long, more than {}", name.size(),
         max_name_length);
  for (char c : name)
    if (!is_name_character(c))
      fail(ErrorKind::invalid_input,
           "the name '{}' contains the character '{}'; allowed are letters, digits and +-._?=", name, c);
  const std::string_view first_part = name.substr(0, name.find('-'));
  if (first_part == "." || first_part == "..")
    fail(ErrorKind::invalid_input, "the name '{}' starts with '{}'", name, first_part);
}

void check_base_name(std::string_view base_name) {
  if (base_name.size() < digest_length + 2)
    fail(ErrorKind::invalid_input, "it is too short: a store path is {} characters of digest, '-' and a name",
         digest_length);
  if (!is_digest(base_name.substr(0, digest_length)))
    fail(ErrorKind::invalid_input, "'{}' is not a digest in Nix's base-32",
         base_name.substr(0, digest_length));
  if (base_name[digest_length] != '-') fail(ErrorKind::invalid_input, "there is no '-' after the digest");
  check_name(base_name.substr(digest_length + 1));
}

// 32 bytes folded to 20 by XOR (docs/formats/store-path.md).
std::string fold(std::string_view hash) {
  std::string folded(digest_bytes, '\0');
  for (size_t i = 0; i < hash.size(); ++i) {
    char& byte = folded[i % digest_bytes];
    byte = static_cast<char>(byte ^ hash[i]);
  }
  return folded;
}

static_assert(base32_length(digest_bytes) == digest_length);

}  // namespace

bool is_digest(std::string_view text) noexcept {
  return text.size() == digest_length && std::ranges::all_of(text, is_base32);
}

StorePath StorePath::from_base_name(std::string_view base_name) {
  try {
    check_base_name(base_name);
  } catch (const Error& error) {
    throw error.with_context(fmt::format("store path '{}'", base_name));
  }
  return StorePath(std::string(base_name));
}

StorePath StorePath::parse(std::string_view path) {
  if (!path.starts_with(store_dir) || path.size() <= store_dir.size() || path[store_dir.size()] != '/')
    fail(ErrorKind::invalid_input, "'{}' is not a store path: it is not directly below {}", path, store_dir);
  return from_base_name(path.substr(store_dir.size() + 1));
}

StorePath StorePath::containing(std::string_view path) {
  const size_t end =
      path.starts_with(store_dir) ? path.find('/', store_dir.size() + 1) : std::string_view::npos;
  return parse(path.substr(0, end));
}

StorePath make_store_path(std::string_view type, std::string_view inner_hash, std::string_view name) {
  return in_context(fmt::format("store path name '{}'", name), [&] {
    check_name(name);
    if (name.starts_with('.')) fail(ErrorKind::invalid_input, "it starts with a dot");
    const std::string fingerprint =
        fmt::format("{}:sha256:{}:{}:{}", type, to_hex(inner_hash), store_dir, name);
    return StorePath::from_base_name(to_base32(fold(bytes_of(sha256(fingerprint)))) + "-" +
                                     std::string(name));
  });
}

}  // namespace flox::nix
