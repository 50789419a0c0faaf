#include "trust/sbom/purl.h"

#include <fmt/format.h>

#include <algorithm>

namespace flox::trust {
namespace {

constexpr size_t longest = 1024;  // bytes

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
         c == '_' || c == '~' || c == ':';
}

std::string encoded(std::string_view text) {
  std::string result;
  for (const char c : text)
    result += is_plain(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return result;
}

}  // namespace

std::string debian_purl(std::string_view name, std::string_view version, std::string_view architecture) {
  std::string purl = fmt::format("pkg:deb/debian/{}@{}", encoded(name), encoded(version));
  if (!architecture.empty()) purl += "?arch=" + encoded(architecture);
  return purl;
}

std::string pypi_purl(std::string_view name, std::string_view version) {
  return fmt::format("pkg:pypi/{}@{}", encoded(name), encoded(version));
}

std::string npm_purl(std::string_view name, std::string_view version) {
  const size_t slash = name.starts_with('@') ? name.find('/') : std::string_view::npos;
  if (slash == std::string_view::npos) return fmt::format("pkg:npm/{}@{}", encoded(name), encoded(version));
  return fmt::format("pkg:npm/{}/{}@{}", encoded(name.substr(0, slash)), encoded(name.substr(slash + 1)),
                     encoded(version));
}

std::string store_path_purl(std::string_view name, std::string_view version, std::string_view base_name) {
  return fmt::format("pkg:generic/{}{}{}?nix-store-path={}", encoded(name), version.empty() ? "" : "@",
                     encoded(version), encoded(base_name));
}

bool is_purl(std::string_view text) noexcept {
  return text.starts_with("pkg:") && text.size() > 4 && text.size() <= longest &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

}  // namespace flox::trust
