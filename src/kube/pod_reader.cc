#include "kube/pod_reader.h"

#include <algorithm>

namespace flox::kube {
namespace {

constexpr int64_t biggest_id = 2147483647;

seconds seconds_of(Fields& fields, const char* key, int64_t minimum, seconds otherwise) {
  const auto value = fields.integer(key, minimum, 86400 * 365);
  return value ? seconds(*value) : otherwise;
}

KeyRef read_key_ref(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  KeyRef ref;
  ref.object = fields.required_text("name");
  ref.key = fields.required_text("key");
  ref.optional = fields.boolean("optional").value_or(false);
  return ref;
}

EnvVar read_env(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  EnvVar variable;
  variable.name = fields.required_text("name");
  if (variable.name.find('=') != std::string::npos)
    fields.reject("name", "a variable's name has no \"=\" in it");
  variable.value = fields.text("value");
  if (!fields.has("valueFrom")) return variable;
  if (fields.has("value")) fields.reject("valueFrom", "a variable has either value or valueFrom, not both");
  Fields from(fields.node("valueFrom"), fields.path_of("valueFrom"), context);
  if (from.has("fieldRef")) {
    Fields ref(from.node("fieldRef"), from.path_of("fieldRef"), context);
    ref.accept("apiVersion");
    variable.field_path = ref.required_text("fieldPath");
  } else if (from.has("configMapKeyRef")) {
    variable.config_map_key =
        read_key_ref(from.node("configMapKeyRef"), from.path_of("configMapKeyRef"), context);
  } else if (from.has("secretKeyRef")) {
    variable.secret_key = read_key_ref(from.node("secretKeyRef"), from.path_of("secretKeyRef"), context);
  } else {
    fields.reject("valueFrom", "only fieldRef, configMapKeyRef and secretKeyRef can be read here");
  }
  return variable;
}

EnvFrom read_env_from(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  EnvFrom from;
  from.prefix = fields.text("prefix");
  from.is_secret = fields.has("secretRef");
  const char* key = from.is_secret ? "secretRef" : "configMapRef";
  if (!fields.has(key)) context.reject(node, path, "needs a configMapRef or a secretRef");
  Fields ref(fields.node(key), fields.path_of(key), context);
  from.object = ref.required_text("name");
  from.optional = ref.boolean("optional").value_or(false);
  return from;
}

HttpAction read_http_action(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  HttpAction action;
  action.scheme = fields.text("scheme", "HTTP") == "HTTPS" ? "https" : "http";
  action.host = fields.text("host");
  action.path = fields.text("path", "/");
  action.port = fields.integer_or_text("port");
  if (action.port.empty()) fields.reject("port", "is missing");
  fields.each("httpHeaders", [&](const YAML::Node& item, const std::string& where) {
    Fields header(item, where, context);
    action.headers.emplace_back(header.required_text("name"), header.text("value"));
  });
  return action;
}

std::optional<Probe> read_probe(Fields& container, const char* key) {
  if (!container.has(key)) return std::nullopt;
  const ReadContext& context = container.context();
  Fields fields(container.node(key), container.path_of(key), context);
  Probe probe;
  probe.initial_delay = seconds_of(fields, "initialDelaySeconds", 0, probe.initial_delay);
  probe.period = seconds_of(fields, "periodSeconds", 1, probe.period);
  probe.timeout = seconds_of(fields, "timeoutSeconds", 1, probe.timeout);
  probe.failure_threshold = static_cast<int>(fields.integer("failureThreshold", 1, 1000000).value_or(3));
  probe.success_threshold = static_cast<int>(fields.integer("successThreshold", 1, 1000000).value_or(1));
  if (probe.success_threshold != 1 && std::string(key) != "readinessProbe")
    fields.reject("successThreshold", "must be 1 for liveness and startup probes");
  if (fields.has("exec")) {
    Fields exec(fields.node("exec"), fields.path_of("exec"), context);
    ExecAction action{exec.texts("command")};
    if (action.command.empty()) fields.reject("exec", "needs a command");
    probe.action = std::move(action);
  } else if (fields.has("httpGet")) {
    probe.action = read_http_action(fields.node("httpGet"), fields.path_of("httpGet"), context);
  } else if (fields.has("tcpSocket")) {
    Fields tcp(fields.node("tcpSocket"), fields.path_of("tcpSocket"), context);
    TcpAction action{tcp.text("host"), tcp.integer_or_text("port")};
    if (action.port.empty()) tcp.reject("port", "is missing");
    probe.action = std::move(action);
  } else {
    container.reject(key, "needs exec, httpGet or tcpSocket (gRPC probes are not supported)");
  }
  return probe;
}

Resources read_resources(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  Resources resources;
  {
    Fields requests(fields.node("requests"), fields.path_of("requests"), context);
    resources.cpu_request = requests.quantity("cpu", true);
    resources.memory_request = requests.quantity("memory", false);
  }
  Fields limits(fields.node("limits"), fields.path_of("limits"), context);
  resources.cpu_limit = limits.quantity("cpu", true);
  resources.memory_limit = limits.quantity("memory", false);
  // As Kubernetes: a limit without a request is also the request.
  if (!resources.cpu_request) resources.cpu_request = resources.cpu_limit;
  if (!resources.memory_request) resources.memory_request = resources.memory_limit;
  if (resources.cpu_limit && *resources.cpu_request > *resources.cpu_limit)
    fields.reject("requests", "asks for more CPU than the limit");
  if (resources.memory_limit && *resources.memory_request > *resources.memory_limit)
    fields.reject("requests", "asks for more memory than the limit");
  return resources;
}

void read_seccomp(Fields& parent, std::string& type, std::string& localhost) {
  if (!parent.has("seccompProfile")) return;
  Fields profile(parent.node("seccompProfile"), parent.path_of("seccompProfile"), parent.context());
  type = profile.required_text("type");
  if (type != "RuntimeDefault" && type != "Unconfined" && type != "Localhost")
    profile.reject("type", "must be RuntimeDefault, Unconfined or Localhost");
  localhost = profile.text("localhostProfile");
}

SecurityContext read_security(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  SecurityContext security;
  security.run_as_user = fields.integer("runAsUser", 0, biggest_id);
  security.run_as_group = fields.integer("runAsGroup", 0, biggest_id);
  security.run_as_non_root = fields.boolean("runAsNonRoot");
  security.read_only_root = fields.boolean("readOnlyRootFilesystem").value_or(false);
  security.privileged = fields.boolean("privileged").value_or(false);
  security.allow_privilege_escalation = fields.boolean("allowPrivilegeEscalation").value_or(true);
  if (fields.has("capabilities")) {
    Fields capabilities(fields.node("capabilities"), fields.path_of("capabilities"), context);
    security.add_capabilities = capabilities.texts("add");
    security.drop_capabilities = capabilities.texts("drop");
  }
  read_seccomp(fields, security.seccomp_type, security.seccomp_localhost);
  return security;
}

VolumeMount read_mount(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  VolumeMount mount;
  mount.volume = fields.required_text("name");
  mount.mount_path = fields.required_text("mountPath");
  mount.sub_path = fields.text("subPath");
  if (mount.sub_path.starts_with("/") || ("/" + mount.sub_path + "/").find("/../") != std::string::npos)
    fields.reject("subPath", "must be a path inside the volume");
  mount.read_only = fields.boolean("readOnly").value_or(false);
  mount.propagation = fields.text("mountPropagation");
  return mount;
}

ContainerPort read_port(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  ContainerPort port;
  port.name = fields.text("name");
  port.protocol = fields.text("protocol", "TCP");
  port.container_port = static_cast<int>(fields.integer("containerPort", 1, 65535).value_or(0));
  if (port.container_port == 0) fields.reject("containerPort", "is missing");
  port.host_port = static_cast<int>(fields.integer("hostPort", 1, 65535).value_or(0));
  port.host_ip = fields.text("hostIP");
  return port;
}

void check_name(const std::string& name, Fields& fields) {
  const bool good = !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
                    name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!good)
    fields.reject("name", fmt::format("\"{}\" must be of lower-case letters, digits and inner dashes", name));
}

Container read_container(const YAML::Node& node, const std::string& path, const ReadContext& context,
                         bool init) {
  Fields fields(node, path, context);
  Container container;
  container.name = fields.required_text("name");
  check_name(container.name, fields);
  container.image = fields.text("image");
  if (container.image.empty())
    fields.reject(
        "image",
        "is missing (imageless containers name the stub image ghcr.io/flox/flox:latest or flox/empty:1.0.0)");
  container.command = fields.texts("command");
  container.args = fields.texts("args");
  container.working_dir = fields.text("workingDir");
  auto list = [&](const char* key, auto read, auto& into) {
    fields.each(key, [&](const YAML::Node& item, const std::string& where) {
      into.push_back(read(item, where, context));
    });
  };
  list("env", read_env, container.env);
  list("envFrom", read_env_from, container.env_from);
  list("volumeMounts", read_mount, container.mounts);
  list("ports", read_port, container.ports);
  container.liveness = read_probe(fields, "livenessProbe");
  container.readiness = read_probe(fields, "readinessProbe");
  container.startup = read_probe(fields, "startupProbe");
  if (init && (container.liveness || container.readiness || container.startup))
    fields.reject("name", "init containers have no probes");
  container.resources = read_resources(fields.node("resources"), fields.path_of("resources"), context);
  container.security =
      read_security(fields.node("securityContext"), fields.path_of("securityContext"), context);
  container.stdin_open = fields.boolean("stdin").value_or(false);
  container.stdin_once = fields.boolean("stdinOnce").value_or(false);
  container.tty = fields.boolean("tty").value_or(false);
  fields.note("imagePullPolicy", "images are never pulled here, they must be known to containerd");
  if (init && fields.text("restartPolicy") == "Always")
    fields.reject("restartPolicy", "sidecar init containers are not supported");
  fields.accept("terminationMessagePath");
  fields.accept("terminationMessagePolicy");
  return container;
}

KeyedVolume read_keyed_volume(const YAML::Node& node, const std::string& path, const ReadContext& context,
                              bool secret) {
  Fields fields(node, path, context);
  KeyedVolume volume;
  volume.is_secret = secret;
  volume.object = fields.required_text(secret ? "secretName" : "name");
  volume.optional = fields.boolean("optional").value_or(false);
  volume.mode = static_cast<unsigned>(fields.integer("defaultMode", 0, 0777).value_or(0644));
  fields.each("items", [&](const YAML::Node& item, const std::string& where) {
    Fields entry(item, where, context);
    KeyedVolume::Item key{entry.required_text("key"), entry.required_text("path"), std::nullopt};
    if (key.path.starts_with("/") || ("/" + key.path + "/").find("/../") != std::string::npos)
      entry.reject("path", "must be a path inside the volume");
    if (const auto mode = entry.integer("mode", 0, 0777)) key.mode = static_cast<unsigned>(*mode);
    volume.items.push_back(std::move(key));
  });
  return volume;
}

Volume read_volume(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  Volume volume;
  volume.name = fields.required_text("name");
  check_name(volume.name, fields);
  if (fields.has("emptyDir")) {
    Fields source(fields.node("emptyDir"), fields.path_of("emptyDir"), context);
    EmptyDirVolume empty;
    empty.in_memory = source.text("medium") == "Memory";
    if (empty.in_memory)
      empty.size_limit = source.quantity("sizeLimit", false);
    else
      source.note("sizeLimit", "a directory has no limit here");
    volume.source = empty;
  } else if (fields.has("persistentVolumeClaim")) {
    Fields source(fields.node("persistentVolumeClaim"), fields.path_of("persistentVolumeClaim"), context);
    volume.source =
        ClaimVolume{source.required_text("claimName"), source.boolean("readOnly").value_or(false)};
  } else if (fields.has("configMap")) {
    volume.source = read_keyed_volume(fields.node("configMap"), fields.path_of("configMap"), context, false);
  } else if (fields.has("secret")) {
    volume.source = read_keyed_volume(fields.node("secret"), fields.path_of("secret"), context, true);
  } else if (fields.has("hostPath")) {
    Fields source(fields.node("hostPath"), fields.path_of("hostPath"), context);
    volume.source = HostPathVolume{source.required_text("path"), source.text("type")};
  } else {
    context.reject(
        node, path,
        fmt::format("volume {} must be an emptyDir, persistentVolumeClaim, configMap, secret or hostPath",
                    volume.name));
  }
  return volume;
}

void read_pod_security(Fields& pod, PodSpec& spec) {
  const ReadContext& context = pod.context();
  Fields fields(pod.node("securityContext"), pod.path_of("securityContext"), context);
  spec.run_as_user = fields.integer("runAsUser", 0, biggest_id);
  spec.run_as_group = fields.integer("runAsGroup", 0, biggest_id);
  spec.fs_group = fields.integer("fsGroup", 0, biggest_id);
  spec.run_as_non_root = fields.boolean("runAsNonRoot");
  fields.accept("fsGroupChangePolicy");
  fields.each("supplementalGroups", [&](const YAML::Node& item, const std::string& where) {
    try {
      spec.supplemental_groups.push_back(item.as<int64_t>());
    } catch (const YAML::Exception&) {
      context.reject(item, where, "expected a group's number");
    }
  });
  fields.each("sysctls", [&](const YAML::Node& item, const std::string& where) {
    Fields sysctl(item, where, context);
    const std::string name = sysctl.required_text("name");
    spec.sysctls[name] = sysctl.required_text("value");
  });
  read_seccomp(fields, spec.seccomp_type, spec.seccomp_localhost);
}

void read_dns(Fields& fields, PodSpec& spec) {
  const std::string policy = fields.text("dnsPolicy");
  if (policy == "ClusterFirst" || policy == "ClusterFirstWithHostNet")
    fields.note("dnsPolicy", "no cluster DNS here: pods use this machine's resolv.conf");
  if (!fields.has("dnsConfig")) return;
  const ReadContext& context = fields.context();
  Fields config(fields.node("dnsConfig"), fields.path_of("dnsConfig"), context);
  DnsConfig dns;
  dns.servers = config.texts("nameservers");
  dns.searches = config.texts("searches");
  config.each("options", [&](const YAML::Node& item, const std::string& where) {
    Fields option(item, where, context);
    const std::string name = option.required_text("name"), value = option.text("value");
    dns.options.push_back(value.empty() ? name : name + ":" + value);
  });
  spec.dns = std::move(dns);
}

void read_host_settings(Fields& fields, PodSpec& spec) {
  spec.host_network = fields.boolean("hostNetwork").value_or(false);
  spec.host_pid = fields.boolean("hostPID").value_or(false);
  spec.host_ipc = fields.boolean("hostIPC").value_or(false);
  spec.share_process_namespace = fields.boolean("shareProcessNamespace").value_or(false);
  spec.hostname = fields.text("hostname");
  const char* one_machine = "one machine: every pod runs here";
  for (const char* key :
       {"nodeSelector", "nodeName", "affinity", "tolerations", "topologySpreadConstraints", "schedulerName"})
    fields.note(key, one_machine);
  spec.service_account = fields.text("serviceAccountName", fields.text("serviceAccount"));
  if (!spec.service_account.empty())
    fields.note("serviceAccountName", "no API server here, so pods get no token");
  fields.accept("automountServiceAccountToken");
  fields.accept("enableServiceLinks");  // there are no Services here
  fields.note("imagePullSecrets", "images are never pulled here");
}

void check_names(const PodSpec& spec, const YAML::Node& node, const std::string& path,
                 const ReadContext& context) {
  std::vector<std::string> names, volumes;
  for (const auto& volume : spec.volumes) {
    if (std::find(volumes.begin(), volumes.end(), volume.name) != volumes.end())
      context.reject(node, path, fmt::format("the volume {} is given twice", volume.name));
    volumes.push_back(volume.name);
  }
  for (const auto* list : {&spec.init_containers, &spec.containers})
    for (const auto& container : *list) {
      if (std::find(names.begin(), names.end(), container.name) != names.end())
        context.reject(node, path, fmt::format("the container {} is given twice", container.name));
      names.push_back(container.name);
      for (const auto& mount : container.mounts)
        if (std::find(volumes.begin(), volumes.end(), mount.volume) == volumes.end())
          context.reject(node, path,
                         fmt::format("container {} mounts the volume {}, which the pod does not have",
                                     container.name, mount.volume));
    }
}

}  // namespace

PodSpec read_pod_spec(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  PodSpec spec;
  spec.runtime_class = fields.text("runtimeClassName");
  fields.each("initContainers", [&](const YAML::Node& item, const std::string& where) {
    spec.init_containers.push_back(read_container(item, where, context, true));
  });
  fields.each("containers", [&](const YAML::Node& item, const std::string& where) {
    spec.containers.push_back(read_container(item, where, context, false));
  });
  if (spec.containers.empty()) fields.reject("containers", "a pod needs at least one container");
  fields.each("volumes", [&](const YAML::Node& item, const std::string& where) {
    spec.volumes.push_back(read_volume(item, where, context));
  });
  const std::string policy = fields.text("restartPolicy", "Always");
  if (policy != "Always" && policy != "OnFailure" && policy != "Never")
    fields.reject("restartPolicy", "must be Always, OnFailure or Never");
  spec.restart_policy = policy == "Always"      ? RestartPolicy::always
                        : policy == "OnFailure" ? RestartPolicy::on_failure
                                                : RestartPolicy::never;
  spec.termination_grace = seconds_of(fields, "terminationGracePeriodSeconds", 0, spec.termination_grace);
  read_pod_security(fields, spec);
  read_dns(fields, spec);
  read_host_settings(fields, spec);
  check_names(spec, node, path, context);
  return spec;
}

PodTemplate read_pod_template(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  PodTemplate pod_template;
  {
    Fields metadata(fields.node("metadata"), fields.path_of("metadata"), context);
    pod_template.labels = metadata.text_map("labels");
    pod_template.annotations = metadata.text_map("annotations");
    metadata.accept("creationTimestamp");
    metadata.accept("name");
    metadata.accept("namespace");
  }
  if (!fields.has("spec")) fields.reject("spec", "is missing");
  pod_template.spec = read_pod_spec(fields.node("spec"), fields.path_of("spec"), context);
  return pod_template;
}

}  // namespace flox::kube
