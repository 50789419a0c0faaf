#include "trust/metadata.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/printable.h"
#include "trust/canonical_json.h"
#include "trust/members.h"

namespace flox::trust {
namespace {

constexpr size_t keyid_size = 32;      // bytes
constexpr size_t signature_size = 64;  // bytes

std::vector<MetadataSignature> signatures_of(const nlohmann::json& array) {
  std::vector<MetadataSignature> signatures;
  for (const nlohmann::json& element : array) {
    Members members(element);
    MetadataSignature signature{.keyid = to_hex(members.hex("keyid", keyid_size)),
                                .bytes = members.hex("sig", signature_size)};
    members.end();
    if (std::ranges::find(signatures, signature.keyid, &MetadataSignature::keyid) != signatures.end())
      fail(ErrorKind::invalid_input, "there are two signatures of key {}", signature.keyid);
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

}  // namespace

template <typename T>
Signed<T> Signed<T>::parse(std::string_view text, std::string_view name) {
  const nlohmann::json document = parse_json(text, name, T::limits);
  return in_context(name, [&] {
    Members members(document);
    const nlohmann::json& content = members.object("signed");
    Signed result{.content = in_context("signed", [&] { return T::from_json(content); }),
                  .message = canonical_json(content),
                  .signatures = in_context("signatures", [&] {
                    return signatures_of(members.array("signatures", most_signatures));
                  })};
    members.end();
    return result;
  });
}

template <typename T>
Signed<T> Signed<T>::of(T content) {
  std::string message = canonical_json(content.to_json());
  return {.content = std::move(content), .message = std::move(message), .signatures = {}};
}

template <typename T>
void Signed<T>::add(MetadataSignature signature) {
  const auto old = std::ranges::find(signatures, signature.keyid, &MetadataSignature::keyid);
  if (old != signatures.end())
    *old = std::move(signature);
  else
    signatures.push_back(std::move(signature));
}

template <typename T>
std::string Signed<T>::to_string() const {
  nlohmann::json array = nlohmann::json::array();
  for (const MetadataSignature& signature : signatures)
    array.push_back({{"keyid", signature.keyid}, {"sig", to_hex(signature.bytes)}});
  return nlohmann::json{{"signatures", array}, {"signed", content.to_json()}}.dump() + "\n";
}

template struct Signed<Root>;
template struct Signed<Targets>;
template struct Signed<NameFile>;
template struct Signed<Timestamp>;

MetadataKind kind_of_metadata(std::string_view text, std::string_view name) {
  const nlohmann::json document = parse_json(text, name, name_file_limits);
  return in_context(name, [&] {
    const nlohmann::json& content = Members(document).object("signed");
    const std::string type = Members(content).text("_type");
    if (type == Root::type) return MetadataKind::root;
    if (type == Timestamp::type) return MetadataKind::timestamp;
    if (type == Targets::type)
      return content.contains("name") ? MetadataKind::name_file : MetadataKind::targets;
    fail(ErrorKind::invalid_input, "metadata of the type '{}' is not known", printable(type, 100));
  });
}

bool expires_soon(const Header& header, Time now) { return header.expires <= now + renew_before; }

int64_t days_left(const Header& header, Time now) {
  return std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::days>(header.expires - now).count());
}

void require_current(const Header& header, Time now, std::string_view what) {
  if (now < header.expires) return;
  throw Error(ErrorKind::untrusted,
              fmt::format("{} of {}: version {} expired at {}, and it is {}", what, header.owner,
                          header.version, time_text(header.expires), time_text(now)),
              "Check this machine's clock; if it is right, ask the owner to sign a new version.");
}

}  // namespace flox::trust
