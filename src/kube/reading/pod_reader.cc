#include "kube/reading/pod_reader.h"

#include <algorithm>

#include "kube/reading/container_reader.h"
#include "kube/reading/names.h"
#include "kube/reading/security_reader.h"
#include "kube/reading/volume_reader.h"

namespace flox::kube {
namespace {

constexpr const char* one_machine = "one machine: every pod runs here";

constexpr FieldRule pod_rules[] = {
    {"nodeSelector", Treatment::noted, one_machine},
    {"nodeName", Treatment::noted, one_machine},
    {"affinity", Treatment::noted, one_machine},
    {"tolerations", Treatment::noted, one_machine},
    {"topologySpreadConstraints", Treatment::noted, one_machine},
    {"schedulerName", Treatment::noted, one_machine},
    {"priorityClassName", Treatment::noted, one_machine},
    {"priority", Treatment::silent},
    {"preemptionPolicy", Treatment::silent},
    {"overhead", Treatment::silent},
    {"automountServiceAccountToken", Treatment::silent},  // there is no token
    {"enableServiceLinks", Treatment::silent},            // there are no Services
    {"imagePullSecrets", Treatment::noted, "images are never pulled here"},
    {"hostAliases", Treatment::noted, "/etc/hosts is the image's here"},
    {"subdomain", Treatment::noted, "no cluster DNS here"},
    {"setHostnameAsFQDN", Treatment::noted, "no cluster DNS here", "false"},
    {"hostnameOverride", Treatment::refused, "not supported here"},
    {"readinessGates", Treatment::refused, "nobody would open them: the pod would never be ready"},
    {"schedulingGates", Treatment::refused, "nobody would open them: the pod would never run"},
    {"resourceClaims", Treatment::refused, "there are no resource claims here"},
    {"resources", Treatment::refused, "give each container its resources"},
    {"ephemeralContainers", Treatment::refused, "a pod cannot be made with them"},
    {"workloadRef", Treatment::refused, "not supported here"},
};

constexpr FieldRule template_metadata_rules[] = {
    {"creationTimestamp", Treatment::silent},
    {"name", Treatment::silent},
    {"namespace", Treatment::silent},
    {"finalizers", Treatment::noted, "nothing waits for them here"},
};

std::string read_dns_option(Fields& fields) {
  const std::string name = fields.required_text("name"), value = fields.text("value");
  return value.empty() ? name : name + ":" + value;
}

DnsConfig read_dns_config(Fields& fields) {
  DnsConfig dns;
  dns.servers = fields.texts("nameservers");
  dns.searches = fields.texts("searches");
  dns.options = fields.maps("options", read_dns_option);
  for (const auto* list : {&dns.servers, &dns.searches, &dns.options})
    for (const auto& word : *list)
      if (word.find_first_of(" \t\r\n#;") != std::string::npos)
        fields.reject(fmt::format("\"{}\" is not one word of a resolv.conf", word));
  return dns;
}

void read_dns(Fields& fields, PodSpec& spec) {
  const std::string policy =
      fields.word("dnsPolicy", {"", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"});
  if (policy.starts_with("ClusterFirst"))
    fields.note("dnsPolicy", "no cluster DNS here: pods use this machine's resolv.conf");
  if (policy == "None" && !fields.has("dnsConfig")) fields.reject("dnsPolicy", "None needs a dnsConfig");
  if (fields.has("dnsConfig")) spec.dns = fields.map("dnsConfig", read_dns_config);
}

void read_host_settings(Fields& fields, PodSpec& spec) {
  spec.host_network = fields.boolean("hostNetwork").value_or(false);
  spec.host_pid = fields.boolean("hostPID").value_or(false);
  spec.host_ipc = fields.boolean("hostIPC").value_or(false);
  spec.share_process_namespace = fields.boolean("shareProcessNamespace").value_or(false);
  spec.host_users = fields.boolean("hostUsers").value_or(true);
  if (spec.host_pid && spec.share_process_namespace)
    fields.reject("shareProcessNamespace", "cannot be combined with hostPID");
  if (!spec.host_users && (spec.host_network || spec.host_pid || spec.host_ipc))
    fields.reject("hostUsers", "false cannot be combined with hostNetwork, hostPID or hostIPC");
  spec.hostname = fields.text("hostname");
  if (!spec.hostname.empty() && !is_dns_label(spec.hostname))
    fields.reject("hostname", "must be of at most 63 lower-case letters, digits and inner dashes");
  spec.service_account = fields.text("serviceAccountName", fields.text("serviceAccount"));
  if (!spec.service_account.empty())
    fields.note("serviceAccountName", "no API server here, so pods get no token");
  fields.map("os", [](Fields& os) {
    if (os.text("name", "linux") != "linux") os.reject("name", "pods run on Linux here");
  });
}

void check_names(const PodSpec& spec, const Fields& fields) {
  std::vector<std::string> names, volumes;
  for (const auto& volume : spec.volumes) {
    if (std::find(volumes.begin(), volumes.end(), volume.name) != volumes.end())
      fields.reject(fmt::format("the volume {} is given twice", volume.name));
    volumes.push_back(volume.name);
  }
  for (const auto* list : {&spec.init_containers, &spec.containers})
    for (const auto& container : *list) {
      if (std::find(names.begin(), names.end(), container.name) != names.end())
        fields.reject(fmt::format("the container {} is given twice", container.name));
      names.push_back(container.name);
      for (const auto& mount : container.mounts)
        if (std::find(volumes.begin(), volumes.end(), mount.volume) == volumes.end())
          fields.reject(fmt::format("container {} mounts the volume {}, which the pod does not have",
                                    container.name, mount.volume));
    }
}

PodSpec read_spec(Fields& fields) {
  PodSpec spec;
  spec.runtime_class = fields.text("runtimeClassName");
  spec.init_containers = read_containers(fields, "initContainers", true);
  spec.containers = read_containers(fields, "containers", false);
  if (spec.containers.empty()) fields.reject("containers", "a pod needs at least one container");
  spec.volumes = fields.maps("volumes", read_volume);
  const std::string policy = fields.word("restartPolicy", {"Always", "OnFailure", "Never"});
  spec.restart_policy = policy == "Always"      ? RestartPolicy::always
                        : policy == "OnFailure" ? RestartPolicy::on_failure
                                                : RestartPolicy::never;
  spec.termination_grace = seconds_of(fields, "terminationGracePeriodSeconds", 0, spec.termination_grace);
  if (const auto deadline = fields.integer("activeDeadlineSeconds", 1, 2147483647))
    spec.active_deadline = seconds(*deadline);
  read_pod_security(fields, spec);
  read_dns(fields, spec);
  read_host_settings(fields, spec);
  check_names(spec, fields);
  return spec;
}

}  // namespace

StringMap read_labels(Fields& metadata) {
  StringMap labels = metadata.text_map("labels");
  for (const auto& [key, value] : labels)
    if (!is_qualified_name(key) || !is_label_value(value))
      metadata.reject("labels", fmt::format("{}: {} cannot be a label", key, value));
  return labels;
}

StringMap read_annotations(Fields& metadata) {
  StringMap annotations = metadata.text_map("annotations");
  size_t bytes = 0;
  for (const auto& [key, value] : annotations) {
    bytes += key.size() + value.size();
    if (!is_qualified_name(key))
      metadata.reject("annotations", fmt::format("{} cannot be an annotation's key", key));
  }
  if (bytes > 256 << 10) metadata.reject("annotations", "take more than 256 KiB");
  check_profile_annotations(metadata, annotations);
  return annotations;
}

PodSpec read_pod_spec(Fields& owner) {
  if (!owner.has("spec")) owner.reject("spec", "is missing");
  return owner.map("spec", read_spec, pod_rules);
}

PodTemplate read_pod_template(Fields& workload) {
  if (!workload.has("template")) workload.reject("template", "is missing");
  return workload.map("template", [](Fields& fields) {
    PodTemplate pod_template;
    fields.map(
        "metadata",
        [&](Fields& metadata) {
          pod_template.labels = read_labels(metadata);
          pod_template.annotations = read_annotations(metadata);
        },
        template_metadata_rules);
    pod_template.spec = read_pod_spec(fields);
    return pod_template;
  });
}

}  // namespace flox::kube
