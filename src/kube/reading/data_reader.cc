#include "kube/reading/data_reader.h"

#include <algorithm>

#include "kube/reading/names.h"

namespace flox::kube {
namespace {

constexpr size_t most_data = 1 << 20;  // bytes of one ConfigMap or Secret, as the API server has it

constexpr FieldRule claim_rules[] = {
    {"volumeMode", Treatment::refused, "a claim is a directory here", "Filesystem"},
    {"volumeName", Treatment::noted, "the claim's directory is its own"},
    {"selector", Treatment::noted, "the claim's directory is its own"},
    {"volumeAttributesClassName", Treatment::noted, "a directory has no such attributes"},
    {"dataSource", Treatment::refused, "a claim begins empty here"},
    {"dataSourceRef", Treatment::refused, "a claim begins empty here"},
};

constexpr FieldRule runtime_class_rules[] = {
    {"scheduling", Treatment::noted, "one machine: every pod runs here"},
    {"overhead", Treatment::silent},
};

constexpr FieldRule service_account_rules[] = {
    {"automountServiceAccountToken", Treatment::silent},
    {"secrets", Treatment::silent},
    {"imagePullSecrets", Treatment::noted, "images are never pulled here"},
};

std::string decode_base64(const std::string& text, Fields& fields, const char* key) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '\n' || c == '=') continue;
    const size_t found = alphabet.find(c);
    if (found == alphabet.npos)
      fields.reject(key, "values must be base64; plain text belongs into stringData");
    buffer = buffer << 6 | static_cast<unsigned>(found);
    if ((bits += 6) >= 8) out += static_cast<char>(buffer >> (bits -= 8));
  }
  return out;
}

// The entries of one of the object's maps of values, each under a key that can be a file's name.
StringMap read_data(Fields& object, const char* field) {
  StringMap data = object.text_map(field);
  const YamlNode map = object.node(field);
  for (const auto& [key, value] : map.fields())
    if (!is_data_key(key.text()))
      object.context().reject(
          key, object.path_of(field),
          fmt::format("\"{}\" cannot be a key: letters, digits, -, _ and ., not beginning with ..",
                      key.text().substr(0, 300)));
  return data;
}

void check_size(const KeyedData& data, Fields& object) {
  size_t bytes = 0;
  for (const auto& [key, value] : data.data) bytes += key.size() + value.size();
  if (bytes > most_data) object.reject("data", "takes more than 1 MiB");
}

PersistentVolumeClaim read_claim_spec(Fields& spec) {
  PersistentVolumeClaim claim;
  claim.storage_class = spec.text("storageClassName");
  if (!claim.storage_class.empty())
    spec.note("storageClassName", claim.storage_class + " → a directory of this machine");
  const std::vector<std::string> modes = spec.texts("accessModes");
  for (const auto& mode : modes) {
    if (mode == "ReadWriteOncePod")
      spec.reject("accessModes", "refused; a claim cannot be kept to one pod here (ReadWriteOnce: one node)");
    if (mode != "ReadWriteOnce" && mode != "ReadWriteMany" && mode != "ReadOnlyMany")
      spec.reject("accessModes", fmt::format("{} is not an access mode", mode));
  }
  claim.read_only = modes == std::vector<std::string>{"ReadOnlyMany"};
  if (!claim.read_only) spec.note("accessModes", "on one machine every pod may write the directory");
  spec.map("resources", [&](Fields& resources) {
    resources.map("requests", [&](Fields& requests) {
      claim.requested = requests.quantity("storage", false);
      requests.note("storage", "the directory has no limit");
    });
    if (resources.has("limits")) resources.reject("limits", "refused; a claim's directory has no limit here");
  });
  return claim;
}

}  // namespace

KeyedData read_secret(Fields& object) {
  KeyedData secret;
  for (const auto& [name, value] : read_data(object, "data"))
    secret.data[name] = decode_base64(value, object, "data");
  for (const auto& [name, value] : read_data(object, "stringData")) secret.data[name] = value;
  object.accept("type");
  secret.immutable = object.boolean("immutable").value_or(false);
  check_size(secret, object);
  return secret;
}

KeyedData read_config_map(Fields& object) {
  KeyedData map{read_data(object, "data")};
  for (const auto& [name, value] : read_data(object, "binaryData"))
    if (!map.data.emplace(name, decode_base64(value, object, "binaryData")).second)
      object.reject("binaryData", fmt::format("the key {} is in data, too", name));
  map.immutable = object.boolean("immutable").value_or(false);
  check_size(map, object);
  return map;
}

PersistentVolumeClaim read_claim(Fields& object) { return object.map("spec", read_claim_spec, claim_rules); }

RuntimeClass read_runtime_class(Fields& object) {
  RuntimeClass runtime_class{object.required_text("handler")};
  if (!is_dns_label(runtime_class.handler))
    object.reject("handler", "must be of at most 63 lower-case letters, digits and inner dashes");
  return runtime_class;
}

void read_service_account(Fields& object, const Metadata& metadata) {
  object.context().note("noted; no API server here, so pods get no token");
  for (const auto& [key, value] : metadata.annotations)
    if (key.starts_with("eks.amazonaws.com/"))
      object.context().note(
          fmt::format("annotation {}: noted; no IAM here, give credentials with `play --env`", key));
}

std::span<const FieldRule> rules_of_object(const std::string& kind) {
  if (kind == "RuntimeClass") return runtime_class_rules;
  if (kind == "ServiceAccount") return service_account_rules;
  return {};
}

}  // namespace flox::kube
