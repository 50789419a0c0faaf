// How many bytes the strings of a NAR take (docs/formats/nar.md): what says where a file's contents are
// without writing the NAR.
#pragma once

#include <cstdint>
#include <string_view>

namespace flox::nix {

// With the zeros up to a multiple of 8.
constexpr uint64_t padded(uint64_t size) { return (size + 7) / 8 * 8; }
// Length, bytes, zeros.
constexpr uint64_t string_size(uint64_t size) { return 8 + padded(size); }
template <typename... Texts>
constexpr uint64_t strings_size(Texts... texts) {
  return (string_size(std::string_view(texts).size()) + ...);
}

// What stands before the first node, and around those in it.
inline constexpr uint64_t nar_magic_size = strings_size("nix-archive-1");
inline constexpr uint64_t node_begin_size = strings_size("(", "type");
inline constexpr uint64_t node_end_size = strings_size(")");
// Before the contents of a regular file, their length included.
constexpr uint64_t regular_begin_size(bool executable) {
  return strings_size("regular", "contents") + 8 + (executable ? strings_size("executable", "") : 0);
}
constexpr uint64_t symlink_size(uint64_t target) {
  return strings_size("symlink", "target") + string_size(target);
}
inline constexpr uint64_t directory_begin_size = strings_size("directory");
// Before the node of a directory's entry, and after it.
constexpr uint64_t entry_begin_size(uint64_t name) {
  return strings_size("entry", "(", "name", "node") + string_size(name);
}
inline constexpr uint64_t entry_end_size = strings_size(")");

}  // namespace flox::nix
