#include "kube/pods/pod_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/os/file.h"
#include "kube/reading/names.h"

namespace flox::kube {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

// What Linux gives a program at most (execve(2)): bytes of one variable or argument, and of all together.
constexpr size_t longest_argument = 128 << 10;
constexpr size_t most_arguments = 6 << 20;

// Counts what a container's program is given, while it is made: variables that name each other twice would
// double with every one.
class ArgumentBytes {
 public:
  void take(size_t size) {
    total_ += size + 1;
    if (total_ > most_arguments)
      throw Error(ErrorKind::invalid_input,
                  fmt::format("variables, command and args take more than {} bytes", most_arguments),
                  "Give the program its data in a ConfigMap or Secret volume.");
  }

 private:
  size_t total_ = 0;
};

// What Kubernetes hides from containers and makes read-only in /proc and /sys (procMount: Default).
const std::vector<std::string> masked_paths = {
    "/proc/asound",     "/proc/acpi",        "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
const std::vector<std::string> readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                 "/proc/sysrq-trigger"};

void set(Variables& variables, const std::string& name, const std::string& value) {
  const auto found = std::find_if(variables.begin(), variables.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (found == variables.end())
    variables.emplace_back(name, value);
  else
    found->second = value;
}

std::optional<std::string> keyed_value(const KeyRef& ref, bool secret, const PodRecord& pod,
                                       const ObjectIndex& objects) {
  const char* kind = secret ? "secret" : "configmap";
  const KeyedData* data = objects.keyed_data(secret, pod.namespace_(), ref.object);
  if (!data && ref.optional) return std::nullopt;
  if (!data)
    throw Error(ErrorKind::not_found, fmt::format("{} \"{}\" not found", kind, ref.object),
                "Play its manifest too.");
  const auto value = data->data.find(ref.key);
  if (value != data->data.end()) return value->second;
  if (ref.optional) return std::nullopt;
  fail(ErrorKind::not_found, "couldn't find key {} in {} {}/{}", ref.key, kind, pod.namespace_(), ref.object);
}

// "metadata.labels['app']" → app; empty if the path is not of this form.
std::string subscript(const std::string& path, const std::string& map) {
  if (!path.starts_with(map + "['") || !path.ends_with("']")) return {};
  return path.substr(map.size() + 2, path.size() - map.size() - 4);
}

std::string field_value(const std::string& path, const PodRecord& pod, const PodPlace& place,
                        const std::string& ip) {
  const Metadata& metadata = pod.object.metadata;
  auto entry = [](const StringMap& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? std::string() : found->second;
  };
  if (path == "metadata.name") return metadata.name;
  if (path == "metadata.namespace") return metadata.namespace_;
  if (path == "metadata.uid") return pod.uid;
  if (path == "spec.nodeName") return place.node_name;
  if (path == "spec.serviceAccountName")
    return pod.spec().service_account.empty() ? "default" : pod.spec().service_account;
  if (path == "status.podIP" || path == "status.podIPs") return ip;
  if (path == "status.hostIP") return "127.0.0.1";
  if (const std::string key = subscript(path, "metadata.labels"); !key.empty())
    return entry(metadata.labels, key);
  if (const std::string key = subscript(path, "metadata.annotations"); !key.empty())
    return entry(metadata.annotations, key);
  fail(ErrorKind::invalid_input, "fieldRef {}: cannot be read here", path);
}

Variables make_environment(const PodRecord& pod, const Container& container, const PodPlace& place,
                           const ContainerInputs& inputs, ArgumentBytes& bytes) {
  Variables variables;
  auto add = [&](const std::string& name, const std::string& value) {
    bytes.take(name.size() + 1 + value.size());
    set(variables, name, value);
  };
  for (const auto& from : container.env_from) {
    const KeyedData* data = inputs.objects.keyed_data(from.is_secret, pod.namespace_(), from.object);
    if (!data && !from.optional)
      throw Error(ErrorKind::not_found,
                  fmt::format("{} \"{}\" not found", from.is_secret ? "secret" : "configmap", from.object),
                  "Play its manifest too.");
    if (data)
      for (const auto& [key, value] : data->data) add(from.prefix + key, value);
  }
  for (const auto& variable : container.env) {
    std::optional<std::string> value;
    if (variable.config_map_key)
      value = keyed_value(*variable.config_map_key, false, pod, inputs.objects);
    else if (variable.secret_key)
      value = keyed_value(*variable.secret_key, true, pod, inputs.objects);
    else if (!variable.field_path.empty())
      value = field_value(variable.field_path, pod, place, inputs.pod_ip);
    else
      value = expand(variable.value, variables);
    if (value) add(variable.name, *value);
  }
  return variables;
}

// Where the kubelet has profiles of type Localhost.
constexpr const char* seccomp_directory = "/var/lib/kubelet/seccomp/";

RuntimeProfile profile_of(const SecurityProfile& profile, const char* directory) {
  if (profile.type == "RuntimeDefault") return {RuntimeProfile::Type::runtime_default, ""};
  if (profile.type == "Localhost") return {RuntimeProfile::Type::localhost, directory + profile.localhost};
  return {};
}

// A container that is to be confined by AppArmor does not run where nothing confines it.
std::optional<RuntimeProfile> apparmor_of(const SecurityProfile& profile) {
  if (profile.type.empty()) return std::nullopt;
  const fs::path enabled = "/sys/module/apparmor/parameters/enabled";
  if (profile.type != "Unconfined" && !(fs::exists(enabled) && read_file(enabled).starts_with("Y")))
    fail(ErrorKind::invalid_input, "cannot enforce AppArmor: AppArmor is not enabled on the host");
  return profile_of(profile, "");
}

void check_non_root(const PodSpec& pod, const SecurityContext& security, std::optional<int64_t> user,
                    const ImageInfo& image) {
  if (!security.run_as_non_root.value_or(pod.run_as_non_root.value_or(false))) return;
  if (user == 0) fail(ErrorKind::invalid_input, "container's runAsUser breaks non-root policy");
  if (user) return;
  if (!image.username.empty())
    fail(ErrorKind::invalid_input,
         "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root",
         image.username);
  if (image.uid.value_or(0) == 0)
    throw Error(ErrorKind::invalid_input, "container has runAsNonRoot and image will run as root",
                "Set runAsUser in the securityContext.");
}

void apply_security(ContainerConfig& config, const PodSpec& pod, const SecurityContext& security,
                    const ImageInfo& image) {
  config.run_as_user = security.run_as_user ? security.run_as_user : pod.run_as_user;
  config.run_as_group = security.run_as_group ? security.run_as_group : pod.run_as_group;
  check_non_root(pod, security, config.run_as_user, image);
  // CRI knows no group without a user.
  if (config.run_as_group && !config.run_as_user) config.run_as_user = image.uid.value_or(0);
  config.supplemental_groups = pod.supplemental_groups;
  if (pod.fs_group) config.supplemental_groups.push_back(*pod.fs_group);
  config.privileged = security.privileged;
  config.readonly_rootfs = security.read_only_root;
  config.no_new_privileges = !security.allow_privilege_escalation;
  config.add_capabilities = security.add_capabilities;
  config.drop_capabilities = security.drop_capabilities;
  config.seccomp =
      profile_of(security.seccomp.type.empty() ? pod.seccomp : security.seccomp, seccomp_directory);
  config.apparmor = apparmor_of(security.apparmor.type.empty() ? pod.apparmor : security.apparmor);
  if (!security.privileged) {
    config.masked_paths = masked_paths;
    config.readonly_paths = readonly_paths;
  }
}

// The subPath with its variables replaced. A variable without a value would widen what is mounted.
std::string sub_path_of(const VolumeMount& mount, const Variables& variables) {
  if (mount.sub_path_expr.empty()) return mount.sub_path;
  std::string missing;
  const std::string path = expand(mount.sub_path_expr, variables, [&](const std::string& name) {
    missing += (missing.empty() ? "" : ", ") + name;
  });
  if (!missing.empty())
    fail(ErrorKind::invalid_input, "subPathExpr {}: missing value for {}", mount.sub_path_expr, missing);
  const bool whole = path.find_first_not_of("./") == std::string::npos;
  if (whole || !is_descending_path(path))
    fail(ErrorKind::invalid_input, "subPathExpr {}: {} is not a path inside the volume", mount.sub_path_expr,
         path.substr(0, 300));
  return path;
}

std::vector<MountConfig> make_mounts(const Container& container, const PodRecord& record,
                                     const Variables& variables, const ContainerInputs& inputs) {
  const PodSpec& pod = record.spec();
  std::vector<MountConfig> mounts;
  for (size_t index = 0; index < container.mounts.size(); ++index) {
    const VolumeMount& mount = container.mounts[index];
    const auto volume = std::find_if(pod.volumes.begin(), pod.volumes.end(),
                                     [&](const auto& v) { return v.name == mount.volume; });
    const auto* claim = std::get_if<ClaimVolume>(&volume->source);
    MountConfig config;
    const std::string sub_path = sub_path_of(mount, variables);
    config.host_path =
        sub_path.empty() ? inputs.volumes.at(mount.volume) : inputs.sub_path(mount, index, sub_path);
    if (const Object* object =
            claim ? inputs.objects.find({"PersistentVolumeClaim", record.namespace_(), claim->claim})
                  : nullptr)
      config.read_only = std::get<PersistentVolumeClaim>(object->body).read_only;
    config.user_base = record.user_base;
    config.container_path = mount.mount_path.starts_with("/") ? mount.mount_path : "/" + mount.mount_path;
    config.read_only = config.read_only || mount.read_only || (claim && claim->read_only) ||
                       std::holds_alternative<KeyedVolume>(volume->source);
    config.propagation = mount.propagation == "HostToContainer" ? MountConfig::Propagation::from_host
                         : mount.propagation == "Bidirectional" ? MountConfig::Propagation::both_ways
                                                                : MountConfig::Propagation::none;
    mounts.push_back(std::move(config));
  }
  return mounts;
}

StringMap identity_labels(const PodRecord& pod, const PodPlace& place) {
  return {{"io.kubernetes.pod.name", pod.name()},
          {"io.kubernetes.pod.namespace", pod.namespace_()},
          {uid_label, pod.uid},
          {state_label, place.state_id}};
}

int64_t oom_score(const PodSpec& pod, const Resources& resources, int64_t machine_memory) {
  bool any = false, guaranteed = true;
  for (const auto* list : {&pod.init_containers, &pod.containers})
    for (const auto& container : *list) {
      const Resources& r = container.resources;
      any = any || r.cpu_request || r.memory_request;
      guaranteed = guaranteed && r.cpu_limit && r.memory_limit && r.cpu_request == r.cpu_limit &&
                   r.memory_request == r.memory_limit;
    }
  if (!any) return 1000;
  if (guaranteed) return -997;
  const int64_t score = 1000 - 1000 * std::min(resources.memory_request.value_or(0), machine_memory) /
                                   std::max<int64_t>(machine_memory, 1);
  return std::clamp<int64_t>(score, 3, 999);
}

}  // namespace

std::string pod_cgroup(const std::string& parent, const std::string& uid) {
  if (!parent.ends_with(".slice")) return parent + "/pod" + uid;
  std::string dashless = uid;
  std::replace(dashless.begin(), dashless.end(), '-', '_');  // a dash means a level to systemd
  return parent.substr(0, parent.size() - 6) + "-pod" + dashless + ".slice";
}

SandboxConfig make_sandbox_config(const PodRecord& pod, const PodPlace& place, unsigned attempt) {
  const PodSpec& spec = pod.spec();
  SandboxConfig config;
  config.name = pod.name();
  config.uid = pod.uid;
  config.namespace_ = pod.namespace_();
  config.attempt = attempt;
  config.hostname = spec.host_network ? place.node_name
                                      : (spec.hostname.empty() ? pod.name() : spec.hostname).substr(0, 63);
  config.log_directory = place.log_directory;
  if (spec.dns) {
    config.dns_servers = spec.dns->servers;
    config.dns_searches = spec.dns->searches;
    config.dns_options = spec.dns->options;
  }
  for (const auto& container : spec.containers) {
    config.privileged = config.privileged || container.security.privileged;
    for (const auto& port : container.ports)
      if (port.host_port != 0)
        config.ports.push_back({port.protocol, port.container_port, port.host_port, port.host_ip});
  }
  // Ours come first: a pod's own label of such a name must not make it another pod.
  config.labels = identity_labels(pod, place);
  config.labels.insert(pod.object.metadata.labels.begin(), pod.object.metadata.labels.end());
  config.annotations = pod.object.metadata.annotations;
  config.annotations["kubernetes.io/config.source"] = "flox-kube";
  config.sysctls = spec.sysctls;
  config.cgroup_parent = pod_cgroup(place.cgroup_parent, pod.uid);
  config.host = {spec.host_network, spec.host_pid, spec.host_ipc};
  config.share_process_namespace = spec.share_process_namespace;
  config.user_base = pod.user_base;
  config.run_as_user = spec.run_as_user;
  config.run_as_group = spec.run_as_user ? spec.run_as_group : std::nullopt;
  config.supplemental_groups = spec.supplemental_groups;
  if (spec.fs_group) config.supplemental_groups.push_back(*spec.fs_group);
  return config;
}

ContainerConfig make_container_config(const PodRecord& pod, const Container& container, unsigned attempt,
                                      const PodPlace& place, const ContainerInputs& inputs) {
  const PodSpec& spec = pod.spec();
  ContainerConfig config;
  config.name = container.name;
  config.image = container.image;
  config.attempt = attempt;
  ArgumentBytes bytes;
  config.env = make_environment(pod, container, place, inputs, bytes);
  auto add_words = [&](const std::vector<std::string>& words, std::vector<std::string>& into) {
    for (const auto& word : words) bytes.take(into.emplace_back(expand(word, config.env)).size());
  };
  add_words(container.command, config.command);
  add_words(container.args, config.args);
  config.working_dir = container.working_dir;
  config.mounts = make_mounts(container, pod, config.env, inputs);
  config.labels = identity_labels(pod, place);
  config.labels["io.kubernetes.container.name"] = container.name;
  config.annotations = {
      {"io.kubernetes.container.restartCount", std::to_string(attempt)},
      {"io.kubernetes.pod.terminationGracePeriod", std::to_string(spec.termination_grace.count())}};
  config.log_path = fmt::format("{}/{}.log", container.name, attempt);
  config.stdin_open = container.stdin_open;
  config.stdin_once = container.stdin_once;
  config.tty = container.tty;
  config.host = {spec.host_network, spec.host_pid, spec.host_ipc};
  config.user_base = pod.user_base;
  config.share_process_namespace = spec.share_process_namespace;
  const int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  config.resources = make_resources(spec, container.resources, memory);
  apply_security(config, spec, container.security, inputs.image);
  return config;
}

std::string expand(const std::string& text, const Variables& variables,
                   const std::function<void(const std::string& name)>& missing) {
  std::string out;
  auto check = [&] {
    if (out.size() > longest_argument)
      fail(ErrorKind::invalid_input, "with its variables replaced, \"{}\" has more than {} bytes",
           text.substr(0, 100), longest_argument);
  };
  for (size_t i = 0; i < text.size(); ++i) {
    check();
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char next = text[i + 1];
    const size_t end = next == '(' ? text.find(')', i) : std::string::npos;
    if (next == '$') {
      out += '$';
      ++i;
    } else if (end == std::string::npos) {
      out += '$';
    } else {
      const std::string name = text.substr(i + 2, end - i - 2);
      const auto found = std::find_if(variables.begin(), variables.end(),
                                      [&](const auto& entry) { return entry.first == name; });
      if (missing && (found == variables.end() || found->second.empty())) missing(name);
      out += found == variables.end() ? text.substr(i, end - i + 1) : found->second;
      i = end;
    }
  }
  check();
  return out;
}

ContainerResources make_resources(const PodSpec& pod, const Resources& resources, int64_t machine_memory) {
  constexpr int64_t most_cpu =
      1'000'000'000;  // thousandths: more than any machine has, and multiplied safely
  ContainerResources result;
  result.cpu_shares =
      std::clamp<int64_t>(std::min(resources.cpu_request.value_or(0), most_cpu) * 1024 / 1000, 2, 262144);
  if (resources.cpu_limit && *resources.cpu_limit > 0) {
    result.cpu_period = 100000;
    result.cpu_quota =
        std::max<int64_t>(std::min(*resources.cpu_limit, most_cpu) * result.cpu_period / 1000, 1000);
  }
  result.memory_limit = resources.memory_limit.value_or(0);
  result.oom_score_adj = oom_score(pod, resources, machine_memory);
  return result;
}

}  // namespace flox::kube
