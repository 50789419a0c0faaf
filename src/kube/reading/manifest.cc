#include "kube/reading/manifest.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "base/error.h"
#include "base/foreign_error.h"
#include "kube/reading/data_reader.h"
#include "kube/reading/fields.h"
#include "kube/reading/kinds.h"
#include "kube/reading/names.h"
#include "kube/reading/pod_reader.h"
#include "kube/reading/workload_reader.h"
#include "kube/reading/yaml_documents.h"

namespace flox::kube {
namespace {

using nlohmann::json;

constexpr FieldRule metadata_rules[] = {
    {"creationTimestamp", Treatment::silent},
    {"uid", Treatment::silent},
    {"resourceVersion", Treatment::silent},
    {"generation", Treatment::silent},
    {"managedFields", Treatment::silent},
    {"selfLink", Treatment::silent},
    {"deletionTimestamp", Treatment::silent},
    {"deletionGracePeriodSeconds", Treatment::silent},
    {"ownerReferences", Treatment::noted, "`down` removes what was played, nothing else does"},
    {"finalizers", Treatment::noted, "nothing waits for them here"},
    {"generateName", Treatment::refused, "an object needs a name of its own here"},
};

// The node as JSON.
json document_of(const YamlNode& node, const std::string& source) {
  try {
    return to_json(node);
  } catch (const std::range_error& error) {
    ReadContext{source, "", nullptr}.reject(node, "", message_of(error));
  }
}

std::vector<YamlNode> load(std::string_view text, const std::string& source) {
  std::vector<YamlNode> documents;
  // As deep as lists of lists go, which is limited as all depth is.
  std::function<void(const YamlNode&)> add = [&](const YamlNode& node) {
    if (!node.is_given()) return;
    if (node["kind"].text() == "List" && node["items"].is_list())
      for (const auto& item : node["items"].items()) add(item);
    else
      documents.push_back(node);
  };
  for (const YamlNode& node : load_documents(text, source)) add(node);
  return documents;
}

// Names of access rules may hold colons, as in system:node.
bool is_object_name(std::string name, const std::string& kind) {
  if (kind.find("Role") != std::string::npos) std::replace(name.begin(), name.end(), ':', '-');
  return is_dns_subdomain(name);
}

// The context learns the object's name, for the errors from then on.
Metadata read_metadata(Fields& fields, ReadContext& context, const std::string& kind) {
  Metadata metadata;
  metadata.name = fields.text("name");
  if (metadata.name.empty() && !fields.has("generateName")) fields.required_text("name");
  if (!metadata.name.empty() && !is_object_name(metadata.name, kind))
    fields.reject("name",
                  fmt::format("\"{}\" must be of lower-case letters, digits, and inner dashes and dots",
                              metadata.name.substr(0, 300)));
  context.object = kind + " " + metadata.name;
  metadata.namespace_ = fields.text("namespace");
  if (!metadata.namespace_.empty() && !is_dns_label(metadata.namespace_))
    fields.reject("namespace",
                  fmt::format("\"{}\" must be of at most 63 lower-case letters, digits and inner dashes",
                              metadata.namespace_.substr(0, 300)));
  metadata.labels = read_labels(fields);
  metadata.annotations = read_annotations(fields);
  return metadata;
}

// What every object has.
Object read_head(const YamlNode& node, ReadContext& context, const std::string& default_namespace) {
  if (!node.is_map())
    context.reject(node, "", "expected a Kubernetes object: a map with apiVersion, kind and metadata");
  Object object;
  for (auto& [key, into] :
       {std::pair<const char*, std::string&>{"apiVersion", object.api_version}, {"kind", object.kind}}) {
    into = string_of(node[key], key, context);
    if (into.empty()) context.reject(node, key, "is missing");
  }
  if (!is_kind(object.kind)) context.reject(node["kind"], "kind", "is not the name of a kind");
  context.object = object.kind;
  if (!node["metadata"].is_given()) context.reject(node, "metadata", "is missing");
  object.metadata = Fields::read(node["metadata"], "metadata", context, metadata_rules,
                                 [&](Fields& fields) { return read_metadata(fields, context, object.kind); });
  if (cluster_wide(object.kind))
    object.metadata.namespace_.clear();
  else if (object.metadata.namespace_.empty())
    object.metadata.namespace_ = default_namespace;
  return object;
}

// Reads the part of the object that its kind determines.
void read_body(Object& object, Fields& fields) {
  fields.accept("status");
  if (object.kind == "Deployment") {
    object.body = read_deployment(fields);
  } else if (object.kind == "Job") {
    object.body = read_job(fields);
  } else if (object.kind == "Pod") {
    object.body = Pod{read_pod_spec(fields)};
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
}

void check_kind(const KindRule* rule, const Object& object, const YamlNode& node,
                const ReadContext& context) {
  const char* way_out = "; leave it out of what is played, or say --ignore-kind";
  if (!rule)
    context.reject(
        node["kind"], "kind",
        fmt::format("refused; objects of kind {} ({}) are not known here, and may restrict others{} {}",
                    object.kind, object.api_version, way_out, object.kind));
  if (rule->fate == Fate::restricts)
    context.reject(
        node["kind"], "kind",
        fmt::format("refused; it restricts what others may do, and nothing here would keep to it{} {}",
                    way_out, object.kind));
  const auto& versions = rule->api_versions;
  if (!versions.empty() && std::find(versions.begin(), versions.end(), object.api_version) == versions.end())
    context.reject(node["apiVersion"], "apiVersion",
                   fmt::format("{} is of {}, not of {}", object.kind, versions.front(), object.api_version));
}

// Files are named after objects (KIND.NAMESPACE.NAME.json) and after pods (NAMESPACE_NAME_UID), whose names
// have 18 characters more than those of what makes them.
void check_length(const Object& object, const YamlNode& node, const ReadContext& context) {
  const size_t name = object.metadata.name.size();
  const bool makes_pods = object.kind == "Deployment" || object.kind == "Job";
  const bool too_long = name > (makes_pods             ? 136
                                : object.kind == "Pod" ? 154
                                                       : 253) ||
                        object.kind.size() + object.metadata.namespace_.size() + name + 7 > 255;
  if (too_long)
    context.reject(node["metadata"]["name"], "metadata.name", "is too long to name files after it");
}

Object read_node(const YamlNode& node, const std::string& source, const std::string& default_namespace,
                 std::vector<std::string>* notes) {
  ReadContext context{source, "", notes};
  Object object = read_head(node, context, default_namespace);
  check_length(object, node, context);
  const KindRule* rule = find_kind(object.kind);
  check_kind(rule, object, node, context);
  if (rule->fate == Fate::noted) {
    context.note(*rule->why ? std::string("noted; ") + rule->why
                            : fmt::format("noted; objects of kind {} ({}) are not acted on here", object.kind,
                                          object.api_version));
    return object;
  }
  Fields::read(node, "", context, rules_of_object(object.kind), [&](Fields& fields) {
    for (const char* key : {"apiVersion", "kind", "metadata"}) fields.accept(key);
    read_body(object, fields);
  });
  return object;
}

void add_manifest(const YamlNode& node, const std::string& source, const ReadOptions& options,
                  std::vector<std::string>& notes, std::vector<Manifest>& manifests) {
  if (const std::string& kind = node["kind"].text(); options.ignored_kinds.contains(kind)) {
    notes.push_back(
        fmt::format("{} {}: left out, as --ignore-kind says", kind, node["metadata"]["name"].text()));
    return;
  }
  if (node["kind"].text() == "Kustomization") {
    notes.push_back(fmt::format("{}: a kustomization is played with -k and its directory", source));
    return;
  }
  Manifest manifest{read_node(node, source, options.default_namespace, &notes), document_of(node, source)};
  if (!manifest.object.metadata.namespace_.empty())
    manifest.json["metadata"]["namespace"] = manifest.object.metadata.namespace_;
  manifests.push_back(std::move(manifest));
}

ObjectKey key_of(const YamlNode& node, const std::string& source, const std::string& default_namespace) {
  ReadContext context{source, "", nullptr};
  return read_head(node, context, default_namespace).key();
}

}  // namespace

std::vector<json> read_documents(std::string_view text, const std::string& source) {
  std::vector<json> documents;
  for (const YamlNode& node : load(text, source)) documents.push_back(document_of(node, source));
  return documents;
}

std::vector<Manifest> read_manifests(std::string_view text, const std::string& source,
                                     const ReadOptions& options, std::vector<std::string>& notes) {
  std::vector<Manifest> manifests;
  for (const YamlNode& node : load(text, source)) add_manifest(node, source, options, notes, manifests);
  return manifests;
}

std::optional<Manifest> read_manifest(const json& document, const std::string& source,
                                      const ReadOptions& options, std::vector<std::string>& notes) {
  std::vector<Manifest> manifests;
  add_manifest(to_node(document), source, options, notes, manifests);
  if (manifests.empty()) return std::nullopt;
  return std::move(manifests.front());
}

std::vector<ObjectKey> read_keys(std::string_view text, const std::string& source,
                                 const std::string& default_namespace) {
  std::vector<ObjectKey> keys;
  for (const YamlNode& node : load(text, source)) keys.push_back(key_of(node, source, default_namespace));
  return keys;
}

ObjectKey read_key(const json& document, const std::string& source, const std::string& default_namespace) {
  return key_of(to_node(document), source, default_namespace);
}

Object read_object(const json& document, const std::string& source) {
  return in_context("reading a stored object",
                    [&] { return read_node(to_node(document), source, "default", nullptr); });
}

}  // namespace flox::kube
