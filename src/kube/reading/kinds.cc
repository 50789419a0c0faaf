#include "kube/reading/kinds.h"

#include <set>

namespace flox::kube {

const KindRule* find_kind(const std::string& kind) {
  static const std::vector<KindRule> rules = {
      {"Deployment", Fate::read, {"apps/v1"}},
      {"Job", Fate::read, {"batch/v1"}},
      {"Pod", Fate::read, {"v1"}},
      {"ConfigMap", Fate::read, {"v1"}},
      {"Secret", Fate::read, {"v1"}},
      {"PersistentVolumeClaim", Fate::read, {"v1"}},
      {"RuntimeClass", Fate::read, {"node.k8s.io/v1", "node.k8s.io/v1beta1"}},
      {"ServiceAccount", Fate::read, {"v1"}},
      {"Namespace", Fate::read, {"v1"}},

      {"HorizontalPodAutoscaler",
       Fate::noted,
       {"autoscaling/v2", "autoscaling/v1", "autoscaling/v2beta2"},
       "no autoscaling on one machine, use `scale`"},
      {"PodDisruptionBudget", Fate::noted, {"policy/v1"}, "nobody drains this machine"},
      {"Service", Fate::noted, {}},
      {"Endpoints", Fate::noted, {}},
      {"EndpointSlice", Fate::noted, {}},
      {"Ingress", Fate::noted, {}},
      {"IngressClass", Fate::noted, {}},
      {"StatefulSet", Fate::noted, {}},
      {"DaemonSet", Fate::noted, {}},
      {"ReplicaSet", Fate::noted, {}},
      {"ReplicationController", Fate::noted, {}},
      {"CronJob", Fate::noted, {}},
      {"Role", Fate::noted, {}},
      {"RoleBinding", Fate::noted, {}},
      {"ClusterRole", Fate::noted, {}},
      {"ClusterRoleBinding", Fate::noted, {}},
      {"StorageClass", Fate::noted, {}},
      {"PersistentVolume", Fate::noted, {}},
      {"PriorityClass", Fate::noted, {}},
      {"CustomResourceDefinition", Fate::noted, {}},
      {"PodMonitor", Fate::noted, {}},
      {"ServiceMonitor", Fate::noted, {}},
      {"PrometheusRule", Fate::noted, {}},

      {"NetworkPolicy", Fate::restricts, {}},
      {"AdminNetworkPolicy", Fate::restricts, {}},
      {"BaselineAdminNetworkPolicy", Fate::restricts, {}},
      {"ResourceQuota", Fate::restricts, {}},
      {"LimitRange", Fate::restricts, {}},
      {"ValidatingAdmissionPolicy", Fate::restricts, {}},
      {"ValidatingAdmissionPolicyBinding", Fate::restricts, {}},
      {"MutatingAdmissionPolicy", Fate::restricts, {}},
      {"MutatingAdmissionPolicyBinding", Fate::restricts, {}},
      {"ValidatingWebhookConfiguration", Fate::restricts, {}},
      {"MutatingWebhookConfiguration", Fate::restricts, {}},
      {"PodSecurityPolicy", Fate::restricts, {}},
  };
  for (const auto& rule : rules)
    if (kind == rule.kind) return &rule;
  return nullptr;
}

bool cluster_wide(const std::string& kind) {
  static const std::set<std::string> kinds = {
      "Namespace",    "RuntimeClass",       "Node",         "PersistentVolume",
      "ClusterRole",  "ClusterRoleBinding", "StorageClass", "CustomResourceDefinition",
      "PriorityClass"};
  return kinds.contains(kind);
}

}  // namespace flox::kube
