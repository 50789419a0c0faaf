#include "server/api/attestations.h"

#include <algorithm>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "nix/cache_layout.h"
#include "nix/store_path.h"
#include "server/api/answers.h"
#include "server/api/resources.h"
#include "server/api/text_upload.h"
#include "trust/attestation/envelope.h"
#include "trust/attestation/provenance.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr size_t most_digests = 20'000;  // that are asked for at once
constexpr const char* envelope_type = "application/vnd.dsse.envelope.v1+json";

void check_digest(std::string_view digest) {
  if (!nix::is_digest(digest))
    fail(ErrorKind::invalid_input, "'{}' is not the digest of a store path", printable(digest, 60));
}

[[noreturn]] void refuse_signer(const nix::StorePath& path) {
  throw Error(ErrorKind::untrusted,
              fmt::format("the attestation bears no valid signature of a registered key that has signed {}",
                          path.to_string()),
              "The catalog's operator registers public keys: flox-catalog --trusted-key KEY.");
}

}  // namespace

std::shared_ptr<UploadSink> Attestations::begin(std::string_view digest) {
  check_digest(digest);
  return std::make_shared<TextUpload>("the attestation", trust::max_envelope);
}

AttestationRecord Attestations::checked(std::string_view digest, std::string text,
                                        const CacheAccess& access) const {
  const trust::Envelope envelope = trust::Envelope::parse(text);
  if (envelope.payload_type != trust::statement_type)
    fail(ErrorKind::invalid_input, "the attestation's 'payloadType' is not {}", trust::statement_type);
  if (envelope.signatures.size() != 1 || envelope.signatures.front().key_name.empty())
    fail(ErrorKind::invalid_input, "the attestation needs one signature, with a 'keyid'");
  const auto& signature = envelope.signatures.front();
  const trust::BuildProvenance provenance = trust::BuildProvenance::parse(envelope.payload);
  if (provenance.path.digest() != digest)
    fail(ErrorKind::invalid_input, "the attestation is of {}, the address of {}", provenance.path.to_string(),
         digest);
  // Before the cache is asked: what somebody has changed on the way is refused as that.
  if (!keys_.empty() &&
      !keys_.verifies(signature.key_name, trust::signed_bytes(envelope.payload_type, envelope.payload),
                      signature.bytes))
    refuse_signer(provenance.path);
  const auto narinfo = cache_.narinfo(provenance.path);
  if (!narinfo || !access.may_read(nix::narinfo_name(digest)))
    fail(ErrorKind::not_found, "{} is not in the cache; it must be uploaded first",
         provenance.path.to_string());
  if (narinfo->info.nar_hash != provenance.nar_hash)
    fail(ErrorKind::untrusted, "the attestation is of other contents of {}", provenance.path.to_string());
  const auto signers = keys_.valid_signatures(narinfo->info);
  if (!keys_.empty() && std::ranges::none_of(signers, [&](const std::string& one) {
        return nix::key_name_of(one) == signature.key_name;
      }))
    refuse_signer(provenance.path);
  return {.key = signature.key_name, .envelope = std::move(text)};
}

ServerResponse Attestations::put(std::string_view digest, UploadSink& upload, const CacheAccess& access) {
  check_digest(digest);
  const AttestationRecord record = checked(digest, TextUpload::text_of(upload), access);
  const Reservation reservation(cache_, record.envelope.size());
  const bool added = records_.add(digest, record);
  if (added) {
    reservation.keep();
    log::info("{} has attested {}", record.key, digest);
  }
  return {.status = added ? 201 : 200,
          .content_type = "application/json",
          .body = json{{"digest", digest}, {"key", record.key}}.dump() + "\n"};
}

ServerResponse Attestations::get(std::string_view digest, std::string_view key,
                                 const CacheAccess& access) const {
  check_digest(digest);
  std::vector<AttestationRecord> records;
  if (access.may_read(nix::narinfo_name(digest))) records = records_.find(digest);
  if (!key.empty()) {
    const auto found = std::ranges::find(records, key, &AttestationRecord::key);
    if (found == records.end())
      fail(ErrorKind::not_found, "'{}' has not attested {}", printable(key, 60), digest);
    return {.content_type = envelope_type, .body = found->envelope};
  }
  if (records.empty()) fail(ErrorKind::not_found, "there is no attestation of {}", digest);
  json list = json::array();
  for (const AttestationRecord& record : records)
    list.push_back({{"key", record.key}, {"envelope", record.envelope}});
  return {.content_type = "application/json", .body = json{{"attestations", std::move(list)}}.dump() + "\n"};
}

json Attestations::among(const json& request, const CacheAccess& access) const {
  const json& digests = member(request, "digests", "the request");
  if (!digests.is_array() || digests.size() > most_digests)
    fail(ErrorKind::invalid_input, "'digests' is not a list of at most {}", most_digests);
  std::set<std::string> wanted;
  for (const json& digest : digests) {
    if (!digest.is_string()) fail(ErrorKind::invalid_input, "'digests' has an element that is no text");
    check_digest(digest.get_ref<const std::string&>());
    wanted.insert(digest.get<std::string>());
  }
  std::set<std::string> found = records_.among(wanted);
  std::vector<std::string> names;
  for (const auto& digest : found) names.push_back(nix::narinfo_name(digest));
  for (const auto& hidden : access.unreadable(names))
    found.erase(std::string(*nix::digest_of_narinfo_name(hidden)));
  return {{"digests", std::move(found)}};
}

void add_attestation_routes(Router& router, ApiContext& context) {
  const std::string path = "/api/v1/attestations/{digest}";
  const auto access = [&](const Call& call) {
    return Visibility::CallersCache(context.accounts.visibility, call.caller());
  };
  const auto attestations = [&] { return Attestations(context.attestations, context.cache, context.keys); };
  router.add("GET", path, Scope::anyone, no_body(), [=](const Call& call) {
    return attestations().get(call.parameter("digest"), call.query("key"), access(call));
  });
  router.add("PUT", path, Scope::publish,
             upload_body([](const Call& call) { return Attestations::begin(call.parameter("digest")); }),
             [=](const Call& call) {
               return attestations().put(call.parameter("digest"), *call.request().upload, access(call));
             });
  router.add("POST", "/api/v1/attestations", Scope::anyone, json_body(),
             [=](const Call& call) { return as_json(attestations().among(call.json(), access(call))); });
}

}  // namespace flox::server
