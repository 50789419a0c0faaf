#include "nix/content_address.h"

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"

namespace flox::nix {
namespace {

std::string typed(std::string type, const StorePathSet& references, bool self_reference) {
  for (const StorePath& reference : references) type.append(":").append(reference.to_string());
  if (self_reference) type += ":self";
  return type;
}

}  // namespace

std::optional<ContentAddress> ContentAddress::parse(std::string_view text) {
  return in_context(fmt::format("content address '{}'", text), [&]() -> std::optional<ContentAddress> {
    ContentMethod method = ContentMethod::flat;
    std::string_view hash = text;
    if (hash.find(':') == std::string_view::npos)
      fail(ErrorKind::invalid_input, "it does not begin with a method, as 'fixed:r:' or 'text:'");
    if (hash.starts_with("text:")) {
      method = ContentMethod::text;
      hash.remove_prefix(5);
    } else if (hash.starts_with("fixed:r:")) {
      method = ContentMethod::nar;
      hash.remove_prefix(8);
    } else if (hash.starts_with("fixed:")) {
      hash.remove_prefix(6);
    } else {
      return std::nullopt;
    }
    // What stands here may also be a method that we do not know.
    const size_t colon = hash.find(':');
    if (colon != std::string_view::npos && !find_hash_algorithm(hash.substr(0, colon))) return std::nullopt;
    ContentAddress address{.method = method, .hash = Hash::parse(hash)};
    if (method == ContentMethod::text && address.hash.algorithm != HashAlgorithm::sha256)
      fail(ErrorKind::invalid_input, "a text is addressed by sha256 only");
    return address;
  });
}

ContentAddress ContentAddress::of_nar(const Sha256Digest& hash) {
  return {.method = ContentMethod::nar,
          .hash = {.algorithm = HashAlgorithm::sha256, .bytes = std::string(bytes_of(hash))}};
}

std::string ContentAddress::to_string() const {
  const char* prefix = method == ContentMethod::text  ? "text:"
                       : method == ContentMethod::nar ? "fixed:r:"
                                                      : "fixed:";
  return prefix + hash.to_text();
}

StorePath ContentAddress::path(std::string_view name, const StorePathSet& references,
                               bool self_reference) const {
  const bool source = method == ContentMethod::nar && hash.algorithm == HashAlgorithm::sha256;
  if (source) return make_store_path(typed("source", references, self_reference), hash.bytes, name);
  if (method == ContentMethod::text) {
    if (self_reference) fail(ErrorKind::invalid_input, "a text cannot refer to itself");
    return make_store_path(typed("text", references, false), hash.bytes, name);
  }
  if (!references.empty() || self_reference)
    fail(ErrorKind::invalid_input, "what is addressed by '{}' cannot have references", to_string());
  const std::string inner = fmt::format("fixed:out:{}{}:{}:", method == ContentMethod::nar ? "r:" : "",
                                        nix::to_string(hash.algorithm), hash.to_hex());
  return make_store_path("output:out", bytes_of(sha256(inner)), name);
}

bool names(const ContentAddress& address, const StorePath& path, const StorePathSet& references) {
  StorePathSet others = references;
  const bool self_reference = others.erase(path) != 0;
  try {
    return address.path(path.name(), others, self_reference) == path;
  } catch (const Error&) {  // no object with this address has such references, or such a name
    return false;
  }
}

}  // namespace flox::nix
