#include "kube/pods/admission.h"

#include <fmt/format.h>

#include "base/error.h"
#include "kube/pods/pod_security.h"

namespace flox::kube {
namespace {

// As Kubernetes: the data of an immutable ConfigMap or Secret does not change.
void check_immutable(const std::map<ObjectKey, StoredObject>& known, const Manifest& manifest) {
  const auto found = known.find(manifest.object.key());
  const auto* now = std::get_if<KeyedData>(&manifest.object.body);
  if (!now || found == known.end()) return;
  const Object before = read_object(found->second.document, to_string(found->first));
  const auto& data = std::get<KeyedData>(before.body);
  if (data.immutable && (data.data != now->data || !now->immutable))
    throw Error(ErrorKind::conflict,
                fmt::format("{} is immutable, and would change", to_string(found->first)),
                "Give the new data another name, or take the old object down first.");
}

// Namespaces and RuntimeClasses hold for what others play, too: nobody's manifest lifts what they restrict.
// (In a cluster, who may make pods may not change them; and the handler of a RuntimeClass is immutable
// there.)
void check_cluster_wide(const std::map<ObjectKey, StoredObject>& known, const Manifest& manifest) {
  const auto found = known.find(manifest.object.key());
  if (found == known.end()) return;
  const auto lifted = [&](const std::string& what, const std::string& before, const std::string& now) {
    throw Error(ErrorKind::conflict,
                fmt::format("{} has {} \"{}\", which would become \"{}\"", to_string(found->first), what,
                            before, now),
                fmt::format("If that is meant, take it down first: flox kube down with the {}'s manifest.",
                            found->first.kind));
  };
  const Object before = read_object(found->second.document, to_string(found->first));
  if (const auto* now = std::get_if<RuntimeClass>(&manifest.object.body))
    if (const auto& handler = std::get<RuntimeClass>(before.body).handler; handler != now->handler)
      lifted("the handler", handler, now->handler);
  if (manifest.object.kind != "Namespace") return;
  const std::string level = enforced_level(before.metadata.labels);
  const std::string now = enforced_level(manifest.object.metadata.labels);
  if (is_laxer(now, level)) lifted("the PodSecurity level", level, now);
}

// A Namespace's label pod-security.kubernetes.io/enforce holds for the pods that are played into it.
void check_pod_security(const std::map<ObjectKey, StoredObject>& known,
                        const std::vector<Manifest>& manifests) {
  std::map<std::string, std::string> levels;
  auto learn = [&](const Object& object) {
    if (object.kind == "Namespace") levels[object.metadata.name] = enforced_level(object.metadata.labels);
  };
  for (const auto& [key, object] : known)
    if (key.kind == "Namespace") learn(read_object(object.document, to_string(key)));
  for (const auto& manifest : manifests) learn(manifest.object);
  for (const auto& manifest : manifests) {
    const PodSpec* spec = pod_spec_of(manifest.object);
    const auto level = levels.find(manifest.object.metadata.namespace_);
    if (!spec || level == levels.end()) continue;
    if (const std::string why = pod_security_violation(*spec, level->second); !why.empty())
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{} violates PodSecurity \"{}\" of the namespace {}: {}",
                              to_string(manifest.object.key()), level->second, level->first, why),
                  "Change the pod, or play it into another namespace.");
  }
}

}  // namespace

void check_admission(const std::map<ObjectKey, StoredObject>& known, const std::vector<Manifest>& manifests) {
  for (const auto& manifest : manifests) {
    check_immutable(known, manifest);
    check_cluster_wide(known, manifest);
  }
  check_pod_security(known, manifests);
}

}  // namespace flox::kube
