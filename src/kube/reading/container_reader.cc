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

KeyRef read_key_ref(const YamlNode& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  KeyRef ref;
  ref.object = fields.required_text("name");
  ref.key = fields.required_text("key");
  ref.optional = fields.boolean("optional").value_or(false);
  return ref;
}

EnvVar read_env(const YamlNode& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  EnvVar variable;
  variable.name = fields.required_text("name");
  if (variable.name.find('=') != std::string::npos)
    fields.reject("name", "a variable's name has no \"=\" in it");
  variable.value = fields.text("value");
  if (!fields.has("valueFrom")) return variable;
  if (!variable.value.empty())
    fields.reject("valueFrom", "a variable has either value or valueFrom, not both");
  Fields from(fields.node("valueFrom"), fields.path_of("valueFrom"), context, value_rules);
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

EnvFrom read_env_from(const YamlNode& node, const std::string& path, const ReadContext& context) {
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

HttpAction read_http_action(const YamlNode& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
  HttpAction action;
  action.scheme = fields.word("scheme", {"HTTP", "HTTPS"}) == "HTTPS" ? "https" : "http";
  action.host = read_probed_host(fields);
  action.path = fields.text("path", "/");
  action.port = read_probed_port(fields);
  fields.each("httpHeaders", [&](const YamlNode& item, const std::string& where) {
    Fields header(item, where, context);
    action.headers.emplace_back(header.required_text("name"), header.text("value"));
    for (const auto* text : {&action.headers.back().first, &action.headers.back().second})
      if (text->find_first_of("\r\n") != std::string::npos)
        context.reject(item, where, "a header is one line");
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
  const bool readiness = std::string_view(key) == "readinessProbe";
  if (probe.success_threshold != 1 && !readiness)
    fields.reject("successThreshold", "must be 1 for liveness and startup probes");
  if (const auto grace = fields.integer("terminationGracePeriodSeconds", 1, 86400 * 365)) {
    if (readiness) fields.reject("terminationGracePeriodSeconds", "a readiness probe ends no container");
    probe.termination_grace = seconds(*grace);
  }
  if (fields.has("exec")) {
    Fields exec(fields.node("exec"), fields.path_of("exec"), context);
    ExecAction action{exec.texts("command")};
    if (action.command.empty()) fields.reject("exec", "needs a command");
    probe.action = std::move(action);
  } else if (fields.has("httpGet")) {
    probe.action = read_http_action(fields.node("httpGet"), fields.path_of("httpGet"), context);
  } else if (fields.has("tcpSocket")) {
    Fields tcp(fields.node("tcpSocket"), fields.path_of("tcpSocket"), context);
    probe.action = TcpAction{read_probed_host(tcp), read_probed_port(tcp)};
  } else {
    container.reject(key, "needs exec, httpGet or tcpSocket (gRPC probes are not supported)");
  }
  return probe;
}

// Resources other than CPU and memory: a limit that nobody keeps would be none.
void check_other_resources(const YamlNode& list, const std::string& path, const ReadContext& context,
                           bool limits) {
  for (const auto& [key, value] : list.fields()) {
    const std::string& name = key.text();
    if (name == "cpu" || name == "memory" || !value.is_given()) continue;
    if (name != "ephemeral-storage")
      context.reject(key, path + "." + name, "refused; this machine has no such resource for pods");
    if (limits)
      context.reject(key, path + "." + name, "refused; a container's disk space is not limited here");
    context.note(path + "." + name + ": noted; disk space is not shared out here");
  }
}

Resources read_resources(const YamlNode& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context, resources_rules);
  Resources resources;
  for (const bool limits : {false, true}) {
    const char* key = limits ? "limits" : "requests";
    const YamlNode list = fields.node(key);
    Fields values(list, fields.path_of(key), context);
    (limits ? resources.cpu_limit : resources.cpu_request) = values.quantity("cpu", true);
    (limits ? resources.memory_limit : resources.memory_request) = values.quantity("memory", false);
    check_other_resources(list, fields.path_of(key), context, limits);
    values.accept_all();
  }
  // As Kubernetes: a limit without a request is also the request.
  if (!resources.cpu_request) resources.cpu_request = resources.cpu_limit;
  if (!resources.memory_request) resources.memory_request = resources.memory_limit;
  if (resources.cpu_limit && *resources.cpu_request > *resources.cpu_limit)
    fields.reject("requests", "asks for more CPU than the limit");
  if (resources.memory_limit && *resources.memory_request > *resources.memory_limit)
    fields.reject("requests", "asks for more memory than the limit");
  return resources;
}

VolumeMount read_mount(const YamlNode& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
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

ContainerPort read_port(const YamlNode& node, const std::string& path, const ReadContext& context) {
  Fields fields(node, path, context);
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

}  // namespace

seconds seconds_of(Fields& fields, const char* key, int64_t minimum, seconds otherwise) {
  const auto value = fields.integer(key, minimum, 86400 * 365);
  return value ? seconds(*value) : otherwise;
}

Container read_container(const YamlNode& node, const std::string& path, const ReadContext& context,
                         bool init) {
  Fields fields(node, path, context, container_rules);
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
  auto list = [&](const char* key, auto read, auto& into) {
    fields.each(key, [&](const YamlNode& item, const std::string& where) {
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
  check_mounts(container, fields);
  return container;
}

}  // namespace flox::kube
