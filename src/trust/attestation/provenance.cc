#include "trust/attestation/provenance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "trust/attestation/envelope.h"

namespace flox::trust {
namespace {

using nlohmann::json;

constexpr const char* document = "the provenance";
constexpr std::string_view in_toto_statement = "https://in-toto.io/Statement/v1";
constexpr const char* smoke_run = "smoke-run";
constexpr std::string_view slsa_provenance = "https://slsa.dev/provenance/v1";
constexpr size_t most_entries = BuildProvenance::most_programs;  // of a map

void require(const json& object, const char* key, std::string_view value) {
  if (string_member(object, key, document) != value)
    fail(ErrorKind::invalid_input, "{}: '{}' is not {}", document, key, value);
}

// A member that is an object; an empty one if it is missing.
json object_member(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return json::object();
  if (!found->is_object()) fail(ErrorKind::invalid_input, "{}: '{}' is not an object", document, key);
  return *found;
}

std::map<std::string, std::string> texts(const json& object, const char* key) {
  std::map<std::string, std::string> result;
  const json members = object_member(object, key);
  if (members.size() > most_entries)
    fail(ErrorKind::invalid_input, "{}: '{}' has more than {} members", document, key, most_entries);
  for (const auto& [member_name, value] : members.items())
    if (value.is_string()) result.emplace(member_name, value.get<std::string>());
  return result;
}

BuildInput input_of(const json& object) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: a dependency is not an object", document);
  return {.name = optional_string(object, "name", document),
          .uri = optional_string(object, "uri", document),
          .digests = texts(object, "digest"),
          .notes = texts(object, "annotations")};
}

json to_json(const BuildInput& input) {
  json object = {{"name", input.name}};
  if (!input.uri.empty()) object["uri"] = input.uri;
  if (!input.digests.empty()) object["digest"] = input.digests;
  if (!input.notes.empty()) object["annotations"] = input.notes;
  return object;
}

// The one subject, as a path without anything else known.
BuildProvenance with_subject(const json& statement) {
  const json& subjects = member(statement, "subject", document);
  if (!subjects.is_array() || subjects.size() != 1)
    fail(ErrorKind::invalid_input, "{}: 'subject' is not a list of one", document);
  const json& subject = subjects.front();
  BuildProvenance result{.path = nix::StorePath::parse(string_member(subject, "name", document))};
  const std::string hash = from_hex(string_member(member(subject, "digest", document), "sha256", document));
  if (hash.size() != result.nar_hash.size())
    fail(ErrorKind::invalid_input, "{}: the subject's sha256 has {} bytes", document, hash.size());
  std::ranges::copy(hash, result.nar_hash.begin());
  return result;
}

}  // namespace

BuildProvenance BuildProvenance::parse(std::string_view text) {
  const json statement = parse_json(text, document, {.bytes = max_envelope, .depth = 32, .values = 50'000});
  require(statement, "_type", in_toto_statement);
  require(statement, "predicateType", slsa_provenance);
  BuildProvenance result = with_subject(statement);
  const json predicate = object_member(statement, "predicate");
  const json definition = object_member(predicate, "buildDefinition");
  const json details = object_member(predicate, "runDetails");
  result.build_type = optional_string(definition, "buildType", document);
  const json external = object_member(definition, "externalParameters");
  const json internal = object_member(definition, "internalParameters");
  result.package = optional_string(external, "package", document);
  result.version = optional_string(external, "version", document);
  result.command = optional_string(external, "command", document);
  result.variables = texts(external, "variables");
  result.system = optional_string(internal, "system", document);
  result.sandbox = optional_string(internal, "sandbox", document);
  if (const auto inputs = definition.find("resolvedDependencies"); inputs != definition.end()) {
    if (!inputs->is_array() || inputs->size() > most_inputs)
      fail(ErrorKind::invalid_input, "{}: 'resolvedDependencies' is not a list of at most {}", document,
           most_inputs);
    for (const json& input : *inputs) result.inputs.push_back(input_of(input));
  }
  const json builder = object_member(details, "builder");
  result.builder = optional_string(builder, "id", document);
  result.builder_version = optional_string(object_member(builder, "version"), "flox-imageless", document);
  if (const auto byproducts = details.find("byproducts"); byproducts != details.end()) {
    if (!byproducts->is_array()) fail(ErrorKind::invalid_input, "{}: 'byproducts' is not a list", document);
    for (const json& byproduct : *byproducts)
      if (const BuildInput one = input_of(byproduct); one.name == smoke_run) result.programs = one.notes;
  }
  const json metadata = object_member(details, "metadata");
  result.started_at = optional_string(metadata, "startedOn", document);
  result.finished_at = optional_string(metadata, "finishedOn", document);
  return result;
}

std::string BuildProvenance::to_string() const {
  json dependencies = json::array();
  for (const BuildInput& input : inputs) dependencies.push_back(to_json(input));
  const json external = {
      {"package", package}, {"version", version}, {"command", command}, {"variables", variables}};
  const json definition = {{"buildType", build_type},
                           {"externalParameters", external},
                           {"internalParameters", {{"system", system}, {"sandbox", sandbox}}},
                           {"resolvedDependencies", std::move(dependencies)}};
  json details = {{"builder", {{"id", builder}, {"version", {{"flox-imageless", builder_version}}}}},
                  {"metadata", {{"startedOn", started_at}, {"finishedOn", finished_at}}}};
  if (!programs.empty())
    details["byproducts"] = json::array({{{"name", smoke_run}, {"annotations", programs}}});
  const json subject = {{"name", path.to_string()}, {"digest", {{"sha256", to_hex(bytes_of(nar_hash))}}}};
  const json statement = {{"_type", in_toto_statement},
                          {"subject", json::array({subject})},
                          {"predicateType", slsa_provenance},
                          {"predicate", {{"buildDefinition", definition}, {"runDetails", details}}}};
  return statement.dump(-1, ' ', false, json::error_handler_t::replace);
}

const BuildInput* BuildProvenance::input(std::string_view wanted) const noexcept {
  const auto found = std::ranges::find(inputs, wanted, &BuildInput::name);
  return found == inputs.end() ? nullptr : &*found;
}

}  // namespace flox::trust
