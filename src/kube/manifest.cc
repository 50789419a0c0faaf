#include "kube/manifest.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "kube/fields.h"
#include "kube/pod_reader.h"
#include "kube/yaml_documents.h"

namespace flox::kube {
namespace {

using nlohmann::json;

json to_json(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      json map = json::object();
      for (const auto& field : node) map[field.first.Scalar()] = to_json(field.second);
      return map;
    }
    case YAML::NodeType::Sequence: {
      json list = json::array();
      for (const auto& item : node) list.push_back(to_json(item));
      return list;
    }
    case YAML::NodeType::Scalar: {
      const std::string& text = node.Scalar();
      if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return text;
      if (const auto integer = parse_integer(text)) return *integer;
      bool truth;
      if (text.size() > 1 && YAML::convert<bool>::decode(node, truth)) return truth;
      double number;
      if (text.find_first_of("0123456789") != std::string::npos &&
          YAML::convert<double>::decode(node, number))
        return number;
      return text;
    }
    default:
      return nullptr;
  }
}

// The node as JSON that can be written: yaml-cpp passes bytes on that are no UTF-8.
json to_valid_json(const YAML::Node& node, const std::string& source) {
  json document = to_json(node);
  try {
    document.dump();
  } catch (const json::type_error&) {
    ReadContext{source, "", nullptr}.reject(node, "", "the text is not UTF-8");
  }
  return document;
}

std::vector<YAML::Node> load(const std::string& text, const std::string& source) {
  std::vector<YAML::Node> loaded;
  try {
    loaded = load_documents(text);
  } catch (const YAML::Exception& error) {
    throw Error(ErrorKind::invalid_input,
                fmt::format("{}:{}:{}: {}", source, error.mark.line + 1, error.mark.column + 1, error.msg));
  }
  std::vector<YAML::Node> documents;
  std::function<void(const YAML::Node&)> add = [&](const YAML::Node& node) {
    if (!node.IsDefined() || node.IsNull()) return;
    if (node.IsMap() && node["kind"].IsDefined() && node["kind"].IsScalar() &&
        node["kind"].Scalar() == "List" && node["items"].IsDefined()) {
      for (const auto& item : node["items"]) add(item);
      return;
    }
    documents.push_back(node);
  };
  for (const YAML::Node& node : loaded) add(node);
  return documents;
}

void check_object_name(const std::string& name, Fields& metadata) {
  const bool good = name.size() <= 253 && name.front() != '-' && name.front() != '.' && name.back() != '-' &&
                    name.back() != '.' &&
                    name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
  if (!good)
    metadata.reject(
        "name", fmt::format("\"{}\" must be of lower-case letters, digits, and inner dashes and dots", name));
}

Metadata read_metadata(const YAML::Node& node, ReadContext& context, const std::string& kind) {
  if (!node["metadata"].IsDefined()) context.reject(node, "metadata", "is missing");
  Fields fields(node["metadata"], "metadata", context);
  Metadata metadata;
  metadata.name = fields.required_text("name");
  check_object_name(metadata.name, fields);
  context.object = kind + " " + metadata.name;
  metadata.namespace_ = fields.text("namespace");
  metadata.labels = fields.text_map("labels");
  metadata.annotations = fields.text_map("annotations");
  for (const char* key :
       {"creationTimestamp", "uid", "resourceVersion", "generation", "managedFields", "selfLink"})
    fields.accept(key);
  return metadata;
}

StringMap read_selector(Fields& spec) {
  if (!spec.has("selector")) spec.reject("selector", "is missing");
  Fields selector(spec.node("selector"), spec.path_of("selector"), spec.context());
  if (selector.has("matchExpressions")) selector.reject("matchExpressions", "only matchLabels is supported");
  return selector.text_map("matchLabels");
}

CountOrPercent read_count(Fields& fields, const char* key) {
  std::string text = fields.integer_or_text(key);
  CountOrPercent count{25, true};
  if (text.empty()) return count;
  count.percent = text.ends_with("%");
  if (count.percent) text.pop_back();
  const auto value = parse_quantity(text, false);
  if (!value || *value > 1000000) fields.reject(key, "expected a number or a percentage");
  count.value = static_cast<int>(*value);
  return count;
}

void read_strategy(Fields& spec, Deployment& deployment) {
  Fields strategy(spec.node("strategy"), spec.path_of("strategy"), spec.context());
  const std::string type = strategy.text("type", "RollingUpdate");
  if (type != "RollingUpdate" && type != "Recreate")
    strategy.reject("type", "must be RollingUpdate or Recreate");
  deployment.recreate = type == "Recreate";
  Fields rolling(strategy.node("rollingUpdate"), strategy.path_of("rollingUpdate"), spec.context());
  deployment.max_surge = read_count(rolling, "maxSurge");
  deployment.max_unavailable = read_count(rolling, "maxUnavailable");
}

Deployment read_deployment(Fields& object) {
  Fields spec(object.node("spec"), "spec", object.context());
  Deployment deployment;
  deployment.replicas = static_cast<int>(spec.integer("replicas", 0, 10000).value_or(1));
  deployment.selector = read_selector(spec);
  if (!spec.has("template")) spec.reject("template", "is missing");
  deployment.pod_template = read_pod_template(spec.node("template"), "spec.template", object.context());
  if (deployment.pod_template.spec.restart_policy != RestartPolicy::always)
    spec.reject("template", "pods of a Deployment need restartPolicy Always");
  if (deployment.selector.empty()) spec.reject("selector", "needs matchLabels");
  for (const auto& [key, value] : deployment.selector) {
    const auto found = deployment.pod_template.labels.find(key);
    if (found == deployment.pod_template.labels.end() || found->second != value)
      spec.reject("selector", fmt::format("does not match the template's labels: {}={}", key, value));
  }
  read_strategy(spec, deployment);
  spec.accept("revisionHistoryLimit");
  spec.accept("progressDeadlineSeconds");
  return deployment;
}

Job read_job(Fields& object) {
  Fields spec(object.node("spec"), "spec", object.context());
  Job job;
  job.completions = static_cast<int>(spec.integer("completions", 0, 100000).value_or(1));
  job.parallelism = static_cast<int>(spec.integer("parallelism", 0, 100000).value_or(1));
  job.backoff_limit = static_cast<int>(spec.integer("backoffLimit", 0, 100000).value_or(6));
  if (const auto deadline = spec.integer("activeDeadlineSeconds", 1, 86400 * 365))
    job.active_deadline = seconds(*deadline);
  spec.note("ttlSecondsAfterFinished", "a finished Job stays until `down`");
  if (!spec.has("template")) spec.reject("template", "is missing");
  job.pod_template = read_pod_template(spec.node("template"), "spec.template", object.context());
  if (job.pod_template.spec.restart_policy == RestartPolicy::always)
    spec.reject("template", "pods of a Job need restartPolicy Never or OnFailure");
  return job;
}

std::string decode_base64(const std::string& text, Fields& fields, const char* key) {
  std::string out;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '\n' || c == '=') continue;
    const char* alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char* found = std::strchr(alphabet, c);
    if (!found) fields.reject(key, "values must be base64; plain text belongs into stringData");
    buffer = buffer << 6 | static_cast<unsigned>(found - alphabet);
    if ((bits += 6) >= 8) out += static_cast<char>(buffer >> (bits -= 8));
  }
  return out;
}

KeyedData read_secret(Fields& object) {
  KeyedData secret;
  for (const auto& [name, value] : object.text_map("data"))
    secret.data[name] = decode_base64(value, object, "data");
  for (const auto& [name, value] : object.text_map("stringData")) secret.data[name] = value;
  object.accept("type");
  object.accept("immutable");
  return secret;
}

KeyedData read_config_map(Fields& object) {
  KeyedData map{object.text_map("data")};
  for (const auto& [name, value] : object.text_map("binaryData"))
    map.data[name] = decode_base64(value, object, "binaryData");
  object.accept("immutable");
  return map;
}

PersistentVolumeClaim read_claim(Fields& object) {
  const ReadContext& context = object.context();
  Fields spec(object.node("spec"), "spec", context);
  PersistentVolumeClaim claim;
  claim.storage_class = spec.text("storageClassName");
  if (!claim.storage_class.empty())
    spec.note("storageClassName", claim.storage_class + " → a directory of this machine");
  spec.note("accessModes", "on one machine every pod may write the directory");
  spec.accept("volumeMode");
  Fields resources(spec.node("resources"), "spec.resources", context);
  Fields requests(resources.node("requests"), "spec.resources.requests", context);
  claim.requested = requests.quantity("storage", false);
  requests.note("storage", "the directory has no limit");
  return claim;
}

RuntimeClass read_runtime_class(Fields& object) {
  RuntimeClass runtime_class{object.required_text("handler")};
  object.note("scheduling", "one machine: every pod runs here");
  return runtime_class;
}

void read_service_account(Fields& object, const Metadata& metadata) {
  object.context().note("noted; no API server here, so pods get no token");
  for (const auto& [key, value] : metadata.annotations)
    if (key.starts_with("eks.amazonaws.com/"))
      object.context().note(
          fmt::format("annotation {}: noted; no IAM here, give credentials with `play --env`", key));
  object.accept("automountServiceAccountToken");
}

bool cluster_wide(const std::string& kind) {
  static const std::set<std::string> kinds = {
      "Namespace",    "RuntimeClass",       "Node",         "PersistentVolume",
      "ClusterRole",  "ClusterRoleBinding", "StorageClass", "CustomResourceDefinition",
      "PriorityClass"};
  return kinds.contains(kind);
}

struct KindRule {
  const char* kind;
  std::vector<std::string> api_versions;
  const char* note;  // why nothing is done, for kinds without a body; null: see read_body
};

const std::vector<KindRule>& known_kinds() {
  static const std::vector<KindRule> rules = {
      {"Deployment", {"apps/v1"}, nullptr},
      {"Job", {"batch/v1"}, nullptr},
      {"Pod", {"v1"}, nullptr},
      {"ConfigMap", {"v1"}, nullptr},
      {"Secret", {"v1"}, nullptr},
      {"PersistentVolumeClaim", {"v1"}, nullptr},
      {"RuntimeClass", {"node.k8s.io/v1", "node.k8s.io/v1beta1"}, nullptr},
      {"ServiceAccount", {"v1"}, nullptr},
      {"Namespace", {"v1"}, nullptr},
      {"HorizontalPodAutoscaler",
       {"autoscaling/v2", "autoscaling/v1", "autoscaling/v2beta2"},
       "no autoscaling on one machine, use `scale`"},
  };
  return rules;
}

// Reads the part of the object that its kind determines. False: the kind means nothing to us.
bool read_body(Object& object, Fields& fields, const YAML::Node& node) {
  const KindRule* rule = nullptr;
  for (const auto& known : known_kinds())
    if (object.kind == known.kind) rule = &known;
  if (!rule) return false;
  if (std::find(rule->api_versions.begin(), rule->api_versions.end(), object.api_version) ==
      rule->api_versions.end())
    fields.reject("apiVersion", fmt::format("{} is of {}, not of {}", object.kind, rule->api_versions.front(),
                                            object.api_version));
  fields.accept("status");
  if (rule->note) {
    for (const auto& field : node) fields.accept(field.first.Scalar().c_str());
    fields.context().note(std::string("noted; ") + rule->note);
  } else if (object.kind == "Deployment") {
    object.body = read_deployment(fields);
  } else if (object.kind == "Job") {
    object.body = read_job(fields);
  } else if (object.kind == "Pod") {
    object.body = Pod{read_pod_spec(fields.node("spec"), "spec", fields.context())};
  } else if (object.kind == "ConfigMap") {
    object.body = read_config_map(fields);
  } else if (object.kind == "Secret") {
    object.body = read_secret(fields);
  } else if (object.kind == "PersistentVolumeClaim") {
    object.body = read_claim(fields);
  } else if (object.kind == "RuntimeClass") {
    object.body = read_runtime_class(fields);
  } else if (object.kind == "ServiceAccount") {
    read_service_account(fields, object.metadata);
  } else {
    fields.accept("spec");  // a Namespace's finalizers
  }
  return true;
}

Object read_node(const YAML::Node& node, const std::string& source, const std::string& default_namespace,
                 std::vector<std::string>* notes) {
  ReadContext context{source, "", notes};
  if (!node.IsMap())
    context.reject(node, "", "expected a Kubernetes object: a map with apiVersion, kind and metadata");
  Fields fields(node, "", context);
  Object object;
  object.api_version = fields.required_text("apiVersion");
  object.kind = fields.required_text("kind");
  context.object = object.kind;
  fields.accept("metadata");
  object.metadata = read_metadata(node, context, object.kind);
  if (cluster_wide(object.kind))
    object.metadata.namespace_.clear();
  else if (object.metadata.namespace_.empty())
    object.metadata.namespace_ = default_namespace;
  if (!read_body(object, fields, node)) {
    for (const auto& field : node) fields.accept(field.first.Scalar().c_str());
    context.note(
        fmt::format("noted; objects of kind {} ({}) are not acted on here", object.kind, object.api_version));
  }
  return object;
}

}  // namespace

std::vector<json> read_documents(const std::string& text, const std::string& source) {
  std::vector<json> documents;
  for (const YAML::Node& node : load(text, source)) documents.push_back(to_valid_json(node, source));
  return documents;
}

std::vector<Manifest> read_manifests(const std::string& text, const std::string& source,
                                     const std::string& default_namespace, std::vector<std::string>& notes) {
  std::vector<Manifest> manifests;
  for (const YAML::Node& node : load(text, source)) {
    Manifest manifest{read_node(node, source, default_namespace, &notes), to_valid_json(node, source)};
    if (!manifest.object.metadata.namespace_.empty())
      manifest.json["metadata"]["namespace"] = manifest.object.metadata.namespace_;
    manifests.push_back(std::move(manifest));
  }
  return manifests;
}

Object read_object(const json& document, const std::string& source) {
  return in_context("reading a stored object",
                    [&] { return read_node(YAML::Load(document.dump()), source, "default", nullptr); });
}

}  // namespace flox::kube
