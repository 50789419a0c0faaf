// The metadata of names: their files, and the timestamp over all of them.
#include "base/data/bytes.h"
#include "base/error.h"
#include "trust/members.h"
#include "trust/metadata.h"
#include "trust/metadata_header.h"

namespace flox::trust {
namespace {

constexpr size_t hash_size = 32;            // bytes
constexpr size_t longest_path = 512;        // of a target
constexpr size_t longest_reason = 1 << 10;  // bytes
constexpr size_t most_outputs = 64;         // as the catalog has it
constexpr size_t longest_output = 64, longest_store_path = 300;

nlohmann::json to_json(const Target& target) {
  nlohmann::json json = {{"length", target.length}, {"hashes", {{"sha256", target.sha256}}}};
  if (!target.outputs.empty()) json["custom"]["outputs"] = target.outputs;
  if (target.yanked) json["custom"]["yanked"] = *target.yanked;
  return json;
}

std::map<std::string, std::string> outputs_of(const nlohmann::json& json) {
  if (json.empty() || json.size() > most_outputs)
    fail(ErrorKind::invalid_input, "outputs: there are none, or more than {}", most_outputs);
  std::map<std::string, std::string> outputs;
  for (const auto& [name, path] : json.items()) {
    if (name.empty() || name.size() > longest_output || !path.is_string() ||
        path.get_ref<const std::string&>().size() > longest_store_path)
      fail(ErrorKind::invalid_input, "outputs: one is no name and store path");
    outputs.emplace(name, path.get<std::string>());
  }
  return outputs;
}

Target target_of(const nlohmann::json& json) {
  Members members(json);
  Target target;
  target.length = members.number("length", 0);
  Members hashes(members.object("hashes"));
  target.sha256 = to_hex(hashes.hex("sha256", hash_size));
  hashes.end();
  if (members.has("custom")) {
    const nlohmann::json& object = members.object("custom");
    if (object.empty()) fail(ErrorKind::invalid_input, "member 'custom' is empty");
    Members custom(object);
    if (custom.has("outputs")) target.outputs = outputs_of(custom.object("outputs"));
    if (custom.has("yanked")) target.yanked = custom.text("yanked", longest_reason);
    custom.end();
  }
  members.end();
  return target;
}

}  // namespace

nlohmann::json NameFile::to_json() const {
  nlohmann::json json = header_json(*this, type);
  json["name"] = name;
  json["targets"] = nlohmann::json::object();
  for (const auto& [path, target] : targets) json["targets"][path] = trust::to_json(target);
  return json;
}

NameFile NameFile::from_json(const nlohmann::json& json) {
  Members members(json);
  NameFile file;
  read_header(members, type, file);
  file.name = members.text("name");
  check_name(file.name);
  const nlohmann::json& targets = members.object("targets");
  if (targets.size() > most_targets)
    fail(ErrorKind::invalid_input, "there are more than {} targets", most_targets);
  for (const auto& [path, target] : targets.items()) {
    if (path.empty() || path.size() > longest_path)
      fail(ErrorKind::invalid_input, "a target's path is empty or has more than {} bytes", longest_path);
    file.targets.emplace(path, in_context("targets", [&] { return target_of(target); }));
  }
  members.end();
  return file;
}

nlohmann::json Timestamp::to_json() const {
  nlohmann::json json = header_json(*this, type);
  // The tree stands for snapshot.json, whose version is the timestamp's own.
  json["meta"] = {{"snapshot.json", {{"version", version}}}};
  json["root_version"] = root_version;
  json["targets_version"] = targets_version;
  json["merkle_root"] = merkle_root;
  json["merkle_leaves"] = merkle_leaves;
  return json;
}

Timestamp Timestamp::from_json(const nlohmann::json& json) {
  Members members(json);
  Timestamp result;
  read_header(members, type, result);
  Members meta(members.object("meta"));
  Members snapshot(meta.object("snapshot.json"));
  snapshot.number("version", result.version, result.version);
  snapshot.end();
  meta.end();
  result.root_version = members.number("root_version", 1);
  result.targets_version = members.number("targets_version", 1);
  result.merkle_root = to_hex(members.hex("merkle_root", hash_size));
  result.merkle_leaves = members.number("merkle_leaves", 0);
  members.end();
  return result;
}

}  // namespace flox::trust
