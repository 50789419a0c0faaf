#include "node/images/reference.h"

#include <algorithm>

#include "base/error.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "nix/store_path.h"

namespace flox::node {
namespace {

constexpr size_t longest_part = 512;  // bytes; a reference is at most 255, a tag 128
constexpr std::string_view newest = "latest";
constexpr std::string_view store_prefix = "nix/store/";
constexpr const char* advice =
    "Name flox.local/OWNER/ENVIRONMENT:GENERATION, flox.local/PACKAGE:VERSION or "
    "flox.local/nix/store/HASH-NAME.";

[[noreturn]] void refuse(std::string_view reference, std::string_view why) {
  throw Error(ErrorKind::invalid_input,
              fmt::format("image {}/{}: {}", image_host, printable(reference, 300), why), advice);
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// References have no '+', '~' or capital letters: "__2b" stands for '+'.
std::string unescaped(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '_' && i + 3 < text.size() && text[i + 1] == '_' &&
                        digit_of(text[i + 2]) >= 0 && digit_of(text[i + 3]) >= 0;
    if (escape) {
      result += static_cast<char>(digit_of(text[i + 2]) << 4 | digit_of(text[i + 3]));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

// Neither spaces nor what would make another name of it.
bool is_plain(std::string_view text, std::string_view excluded) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return c > 0x20 && c < 0x7f && excluded.find(c) == std::string_view::npos;
  });
}

std::string environment_in(std::string_view repository, std::string_view tag, std::string_view whole) {
  const std::string owner_and_name = unescaped(repository);
  if (!is_plain(owner_and_name, ":@") || std::ranges::count(owner_and_name, '/') != 1)
    refuse(whole, "it is neither an environment, nor a package, nor a store path");
  const std::string name =
      tag == newest ? owner_and_name : fmt::format("{}:{}", owner_and_name, unescaped(tag));
  return in_context(fmt::format("image {}/{}", image_host, printable(whole, 300)),
                    [&] { return catalog::parse_environment_name(name).to_string(); });
}

std::string package_in(std::string_view repository, std::string_view tag, std::string_view whole) {
  const std::string name = unescaped(repository);
  if (!is_plain(name, "/:@")) refuse(whole, "that is not the name of a package");
  if (tag == newest) return name;
  const std::string version = unescaped(tag);
  if (!is_plain(version, "/@")) refuse(whole, "that is not a version");
  return fmt::format("{}@{}", name, version);
}

}  // namespace

std::string environment_of_image(std::string_view repository, std::string_view tag) {
  const std::string whole = fmt::format("{}:{}", repository, tag);
  if (whole.size() > longest_part) refuse(whole, "it is too long");
  if (tag.empty() || repository.empty()) refuse(whole, "it has no name or no tag");
  if (repository.starts_with(store_prefix)) {
    if (tag != newest) refuse(whole, "a store path has no version: leave the tag out");
    const std::string base_name = unescaped(repository.substr(store_prefix.size()));
    return in_context(fmt::format("image {}/{}", image_host, printable(whole, 300)), [&] {
      return nix::StorePath::parse(fmt::format("/nix/store/{}", base_name)).to_string();
    });
  }
  return repository.find('/') == std::string_view::npos ? package_in(repository, tag, whole)
                                                        : environment_in(repository, tag, whole);
}

std::optional<std::string> environment_of_image(std::string_view reference) {
  const std::string_view host = reference.substr(0, reference.find('/'));
  if (host != image_host || host.size() == reference.size()) return std::nullopt;
  std::string_view rest = reference.substr(host.size() + 1);
  rest = rest.substr(0, rest.find('@'));
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return environment_of_image(rest, newest);
  return environment_of_image(rest.substr(0, colon), rest.substr(colon + 1));
}

}  // namespace flox::node
