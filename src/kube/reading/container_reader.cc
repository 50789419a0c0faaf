#include "kube/reading/container_reader.h"

#include <algorithm>

#include "kube/reading/names.h"
#include "kube/reading/security_reader.h"

namespace flox::kube {
namespace {

constexpr FieldRule container_rules[] = {
    {"imagePullPolicy", Treatment::noted, "images are never pulled here, they must be known to containerd"},
    {"lifecycle", Treatment::noted, "hooks are not run here"},
    {"resizePolicy", Treatment::silent},
    {"restartPolicy", Treatment::refused, "sidecar init containers are not supported here"},
    {"restartPolicyRules", Treatment::refused, "the pod's restartPolicy holds for all its containers here"},
    {"terminationMessagePath", Treatment::silent},
    {"terminationMessagePolicy", Treatment::silent},
    {"volumeDevices", Treatment::refused, "there are no block devices for pods here"},
};

constexpr FieldRule value_rules[] = {
    {"resourceFieldRef", Treatment::refused, "not supported here"},
    {"fileKeyRef", Treatment::refused, "not supported here"},
};

constexpr FieldRule resources_rules[] = {
    {"claims", Treatment::refused, "there are no resource claims here"},
};

KeyRef read_key_ref(Fields& fields) {
  KeyRef ref;
  ref.object = fields.required_text("name");
  ref.key = fields.required_text("key");
  ref.optional = fields.boolean("optional").value_or(false);
  return ref;
}

std::string read_field_ref(Fields& fields) {
  fields.accept("apiVersion");
  return fields.required_text("fieldPath");
}

EnvVar read_env(Fields& fields) {
  EnvVar variable;
  variable.name = fields.required_text("name");
  if (variable.name.find('=') != std::string::npos)
    fields.reject("name", "a variable's name has no \"=\" in it");
  variable.value = fields.text("value");
  if (!fields.has("valueFrom")) return variable;
  if (!variable.value.empty())
    fields.reject("valueFrom", "a variable has either value or valueFrom, not both");
  fields.map(
      "valueFrom",
      [&](Fields& from) {
        if (from.has("fieldRef"))
          variable.field_path = from.map("fieldRef", read_field_ref);
        else if (from.has("configMapKeyRef"))
          variable.config_map_key = from.map("configMapKeyRef", read_key_ref);
        else if (from.has("secretKeyRef"))
          variable.secret_key = from.map("secretKeyRef", read_key_ref);
        else
          fields.reject("valueFrom", "only fieldRef, configMapKeyRef and secretKeyRef can be read here");
      },
      value_rules);
  return variable;
}

EnvFrom read_env_from(Fields& fields) {
  EnvFrom from;
  from.prefix = fields.text("prefix");
  from.is_secret = fields.has("secretRef");
  const char* key = from.is_secret ? "secretRef" : "configMapRef";
  if (!fields.has(key)) fields.reject("needs a configMapRef or a secretRef");
  fields.map(key, [&](Fields& ref) {
    from.object = ref.required_text("name");
    from.optional = ref.boolean("optional").value_or(false);
  });
  return from;
}

std::string read_probed_port(Fields& fields) {
  std::string port = fields.integer_or_text("port");
  if (port.empty()) fields.reject("port", "is missing");
  if (!is_port(port)) fields.reject("port", fmt::format("{} is not a port's number or name", port));
  return port;
}

std::string read_probed_host(Fields& fields) {
  std::string host = fields.text("host");
  const bool good =
      host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:") ==
      std::string::npos;
  if (!good) fields.reject("host", fmt::format("{} is not a host's name or address", host));
  return host;
}

std::pair<std::string, std::string> read_header(Fields& fields) {
  std::pair<std::string, std::string> header{fields.required_text("name"), fields.text("value")};
  for (const auto* text : {&header.first, &header.second})
    if (text->find_first_of("\r\n") != std::string::npos) fields.reject("a header is one line");
  return header;
}

HttpAction read_http_action(Fields& fields) {
  HttpAction action;
  action.scheme = fields.word("scheme", {"HTTP", "HTTPS"}) == "HTTPS" ? "https" : "http";
  action.host = read_probed_host(fields);
  action.path = fields.text("path", "/");
  action.port = read_probed_port(fields);
  action.headers = fields.maps("httpHeaders", read_header);
  return action;
}

ExecAction read_exec_action(Fields& fields) { return {fields.texts("command")}; }

TcpAction read_tcp_action(Fields& fields) { return {read_probed_host(fields), read_probed_port(fields)}; }

Probe read_probe(Fields& fields, bool readiness) {
  Probe probe;
  probe.initial_delay = seconds_of(fields, "initialDelaySeconds", 0, probe.initial_delay);
  probe.period = seconds_of(fields, "periodSeconds", 1, probe.period);
  probe.timeout = seconds_of(fields, "timeoutSeconds", 1, probe.timeout);
  probe.failure_threshold = static_cast<int>(fields.integer("failureThreshold", 1, 1000000).value_or(3));
  probe.success_threshold = static_cast<int>(fields.integer("successThreshold", 1, 1000000).value_or(1));
  if (probe.success_threshold != 1 && !readiness)
    fields.reject("successThreshold", "must be 1 for liveness and startup probes");
  if (const auto grace = fields.integer("terminationGracePeriodSeconds", 1, 86400 * 365)) {
    if (readiness) fields.reject("terminationGracePeriodSeconds", "a readiness probe ends no container");
    probe.termination_grace = seconds(*grace);
  }
  if (fields.has("exec")) {
    ExecAction action = fields.map("exec", read_exec_action);
    if (action.command.empty()) fields.reject("exec", "needs a command");
    probe.action = std::move(action);
  } else if (fields.has("httpGet")) {
    probe.action = fields.map("httpGet", read_http_action);
  } else if (fields.has("tcpSocket")) {
    probe.action = fields.map("tcpSocket", read_tcp_action);
  } else {
    fields.reject("needs exec, httpGet or tcpSocket (gRPC probes are not supported)");
  }
  return probe;
}

std::optional<Probe> read_probe(Fields& container, const char* key, bool readiness) {
  if (!container.has(key)) return std::nullopt;
  return container.map(key, [&](Fields& fields) { return read_probe(fields, readiness); });
}

// Resources other than CPU and memory: a limit that nobody keeps would be none.
void check_other_resources(const Fields& list, bool limits) {
  for (const auto& [key, value] : list.whole().fields()) {
    const std::string& name = key.text();
    if (name == "cpu" || name == "memory" || !value.is_given()) continue;
    const std::string path = list.path_of(name.c_str());
    if (name != "ephemeral-storage")
      list.context().reject(key, path, "refused; this machine has no such resource for pods");
    if (limits) list.context().reject(key, path, "refused; a container's disk space is not limited here");
    list.context().note(path + ": noted; disk space is not shared out here");
  }
}

Resources read_resources(Fields& fields) {
  Resources resources;
  for (const bool limits : {false, true})
    fields.map(limits ? "limits" : "requests", [&](Fields& values) {
      (limits ? resources.cpu_limit : resources.cpu_request) = values.quantity("cpu", true);
      (limits ? resources.memory_limit : resources.memory_request) = values.quantity("memory", false);
      check_other_resources(values, limits);
      values.accept_all();
    });
  // As Kubernetes: a limit without a request is also the request.
  if (!resources.cpu_request) resources.cpu_request = resources.cpu_limit;
  if (!resources.memory_request) resources.memory_request = resources.memory_limit;
  if (resources.cpu_limit && *resources.cpu_request > *resources.cpu_limit)
    fields.reject("requests", "asks for more CPU than the limit");
  if (resources.memory_limit && *resources.memory_request > *resources.memory_limit)
    fields.reject("requests", "asks for more memory than the limit");
  return resources;
}

VolumeMount read_mount(Fields& fields) {
  VolumeMount mount;
  mount.volume = fields.required_text("name");
  mount.mount_path = fields.required_text("mountPath");
  if (mount.mount_path.find(':') != std::string::npos || mount.mount_path.size() > 4096)
    fields.reject("mountPath", "must be a path without \":\"");
  mount.sub_path = fields.text("subPath");
  mount.sub_path_expr = fields.text("subPathExpr");
  if (!mount.sub_path.empty() && !mount.sub_path_expr.empty())
    fields.reject("subPathExpr", "a mount has either subPath or subPathExpr, not both");
  for (const char* key : {"subPath", "subPathExpr"})
    if (const std::string text = fields.text(key); !text.empty() && !is_descending_path(text))
      fields.reject(key, "must be a path inside the volume");
  mount.read_only = fields.boolean("readOnly").value_or(false);
  if (fields.word("recursiveReadOnly", {"Disabled", "IfPossible", "Enabled"}) == "Enabled")
    fields.reject("recursiveReadOnly", "refused; only Disabled and IfPossible are supported here");
  mount.propagation = fields.word("mountPropagation", {"", "None", "HostToContainer", "Bidirectional"});
  return mount;
}

ContainerPort read_port(Fields& fields) {
  ContainerPort port;
  port.name = fields.text("name");
  if (!port.name.empty() && !is_port(port.name))
    fields.reject("name", "must be of at most 15 lower-case letters, digits and inner dashes");
  port.protocol = fields.word("protocol", {"TCP", "UDP", "SCTP"});
  port.container_port = static_cast<int>(fields.integer("containerPort", 1, 65535).value_or(0));
  if (port.container_port == 0) fields.reject("containerPort", "is missing");
  port.host_port = static_cast<int>(fields.integer("hostPort", 1, 65535).value_or(0));
  port.host_ip = fields.text("hostIP");
  return port;
}

void check_mounts(const Container& container, Fields& fields) {
  std::set<std::string> paths;
  for (const auto& mount : container.mounts) {
    if (!paths.insert(mount.mount_path).second)
      fields.reject("volumeMounts", fmt::format("two volumes are mounted at {}", mount.mount_path));
    if (mount.propagation == "Bidirectional" && !container.security.privileged)
      fields.reject("volumeMounts", "only a privileged container can have mountPropagation Bidirectional");
  }
}

Container read_container(Fields& fields, bool init) {
  Container container;
  container.name = fields.required_text("name");
  if (!is_dns_label(container.name))
    fields.reject("name",
                  fmt::format("\"{}\" must be of at most 63 lower-case letters, digits and inner dashes",
                              container.name));
  container.image = fields.text("image");
  if (container.image.empty())
    fields.reject(
        "image",
        "is missing (imageless containers name the stub image ghcr.io/flox/flox:latest or flox/empty:1.0.0)");
  container.command = fields.texts("command");
  container.args = fields.texts("args");
  container.working_dir = fields.text("workingDir");
  container.env = fields.maps("env", read_env);
  container.env_from = fields.maps("envFrom", read_env_from);
  container.mounts = fields.maps("volumeMounts", read_mount);
  container.ports = fields.maps("ports", read_port);
  container.liveness = read_probe(fields, "livenessProbe", false);
  container.readiness = read_probe(fields, "readinessProbe", true);
  container.startup = read_probe(fields, "startupProbe", false);
  if (init && (container.liveness || container.readiness || container.startup))
    fields.reject("name", "init containers have no probes");
  container.resources = fields.map("resources", read_resources, resources_rules);
  container.security = read_security(fields);
  container.stdin_open = fields.boolean("stdin").value_or(false);
  container.stdin_once = fields.boolean("stdinOnce").value_or(false);
  container.tty = fields.boolean("tty").value_or(false);
  check_mounts(container, fields);
  return container;
}

}  // namespace

std::vector<Container> read_containers(Fields& pod, const char* key, bool init) {
  return pod.maps(
      key, [&](Fields& fields) { return read_container(fields, init); }, container_rules);
}

seconds seconds_of(Fields& fields, const char* key, int64_t minimum, seconds otherwise) {
  const auto value = fields.integer(key, minimum, 86400 * 365);
  return value ? seconds(*value) : otherwise;
}

}  // namespace flox::kube
