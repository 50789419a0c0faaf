// A pod that has been decided on: its identity, where it lives on disk, and its spec. Kept in the state
// directory as pods/UID.json, so that a supervisor that is started again finds its pods.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kube/pods/pod_status.h"
#include "kube/reading/objects.h"

namespace flox::kube {

struct PodRecord {
  std::string uid;
  std::string owner_kind, owner_name;  // empty: played by itself
  std::string template_hash;
  UnixTime created_at = 0;
  uint32_t user_base = 0;   // the host's id behind the pod's id 0, with a user namespace of its own; 0: none
  nlohmann::json document;  // a Pod object
  Object object;            // the same, read; its body is a Pod

  const std::string& name() const { return object.metadata.name; }
  const std::string& namespace_() const { return object.metadata.namespace_; }
  const PodSpec& spec() const { return std::get<Pod>(object.body).spec; }
};

// The document of a pod made from a template (a Deployment's or Job's spec.template) under a new name.
nlohmann::json pod_document(const nlohmann::json& pod_template, const std::string& namespace_,
                            const std::string& name, const std::string& hash);

// Ten characters that change when the template does, of the letters that Kubernetes uses for it.
std::string template_hash(const nlohmann::json& pod_template);
// Five random characters of the same letters.
std::string random_suffix();
// A random UUID.
std::string random_uid();

nlohmann::json to_json(const PodRecord& record);
PodRecord pod_record_from_json(const nlohmann::json& json);

}  // namespace flox::kube
