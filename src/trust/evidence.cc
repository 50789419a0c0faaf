// What a catalog sends with an answer, and what it is about.
#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "trust/canonical_json.h"
#include "trust/members.h"
#include "trust/verifier.h"

namespace flox::trust {
namespace {

constexpr size_t most_roots = 64;
constexpr size_t proof_bytes = 16 << 10;
constexpr const char* any_variant = "any";

Target target_of(std::string_view text) {
  return {.length = text.size(), .sha256 = to_hex(bytes_of(sha256(text))), .outputs = {}, .yanked = {}};
}

}  // namespace

nlohmann::json Evidence::to_json() const {
  return {{"owner", owner},         {"roots", roots}, {"targets", targets},
          {"timestamp", timestamp}, {"proof", proof}, {"name_file", name_file}};
}

Evidence Evidence::from_json(const nlohmann::json& json) {
  return in_context("the evidence", [&] {
    Members members(json);
    Evidence evidence{.owner = members.text("owner"),
                      .roots = members.texts("roots", most_roots),
                      .targets = members.text("targets", targets_limits.bytes),
                      .timestamp = members.text("timestamp", timestamp_limits.bytes),
                      .proof = members.text("proof", proof_bytes),
                      .name_file = members.text("name_file", name_file_limits.bytes)};
    members.end();
    check_owner(evidence.owner);
    return evidence;
  });
}

std::string PackageRecord::target_path() const {
  return fmt::format("{}/{}/{}", version, system, variant.empty() ? any_variant : variant);
}

std::string PackageRecord::canonical() const {
  return canonical_json(
      {{"name", name}, {"version", version}, {"system", system}, {"variant", variant}, {"outputs", outputs}});
}

Target PackageRecord::to_target() const {
  Target target = target_of(canonical());
  target.outputs = outputs;
  return target;
}

std::map<std::string, Target> EnvironmentRecord::to_targets() const {
  return {{"manifest.toml", target_of(manifest)}, {"manifest.lock", target_of(lock)}};
}

}  // namespace flox::trust
