#include "package/debian/truststore.h"

#include <cstdint>
#include <string_view>

#include "base/data/bytes.h"
#include "base/error.h"
#include "nix/hash.h"

namespace flox::package {
namespace {

constexpr uint64_t dated = 315532800000;  // milliseconds since 1970: 1980, as SOURCE_DATE_EPOCH of builds

void put(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}
void put_text(std::string& out, std::string_view text) {
  if (text.size() > 0xffff) fail(ErrorKind::invalid_input, "a name has more than 65,535 bytes");
  put(out, text.size(), 2);
  out += text;
}

}  // namespace

std::string java_truststore(const std::map<std::string, std::string>& certificates) {
  std::string store;
  put(store, 0xfeedfeed, 4);
  put(store, 2, 4);  // version
  put(store, certificates.size(), 4);
  for (const auto& [alias, certificate] : certificates) {
    put(store, 2, 4);  // a trusted certificate
    put_text(store, alias);
    put(store, dated, 8);
    put_text(store, "X.509");
    put(store, certificate.size(), 4);
    store += certificate;
  }
  std::string keyed;
  for (const char c : std::string_view("changeit")) {  // UTF-16
    keyed += '\0';
    keyed += c;
  }
  nix::Hasher hasher(nix::HashAlgorithm::sha1);
  hasher.update(keyed);
  hasher.update("Mighty Aphrodite");
  hasher.update(store);
  return store + hasher.finish().bytes;
}

std::optional<std::string> certificate_of_pem(const std::string& pem) {
  constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----", end = "-----END CERTIFICATE-----";
  const size_t from = pem.find(begin), to = pem.find(end, from == std::string::npos ? 0 : from);
  if (from == std::string::npos || to == std::string::npos) return std::nullopt;
  std::string text;
  for (const char c : std::string_view(pem).substr(from + begin.size(), to - from - begin.size()))
    if (c != '\n' && c != '\r' && c != ' ') text += c;
  return from_base64(text);
}

}  // namespace flox::package
