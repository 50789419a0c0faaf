// CRI over gRPC. The only file that knows gRPC.
#include <grpcpp/grpcpp.h>

#include <mutex>

#include "base/error.h"
#include "kube/cri/cri.grpc.pb.h"
#include "kube/cri/cri.h"

namespace flox::kube {
namespace {

namespace pb = ::runtime::v1;
using std::chrono::minutes;
using std::chrono::seconds;

// The kubelet's limits, except where our shim may have to fetch a whole environment first.
constexpr seconds quick_call = minutes(2);
constexpr seconds sandbox_call = minutes(4);
constexpr seconds start_call = minutes(30);

// Bytes of one answer. containerd cuts what a command in a pod prints at 16 MiB for each of its streams.
constexpr int most_answer = 40 << 20;

ErrorKind kind_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND:
      return ErrorKind::not_found;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return ErrorKind::invalid_input;
    case grpc::StatusCode::ALREADY_EXISTS:
      return ErrorKind::conflict;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ErrorKind::unavailable;
    default:
      return ErrorKind::internal;
  }
}

void set(pb::IDMapping& mapping, uint32_t user_base) {
  mapping.set_host_id(user_base);
  mapping.set_length(user_range);
}

// As the kubelet does, of a pod and of its containers alike.
void set(pb::NamespaceOption& option, const HostNamespaces& host, uint32_t user_base, bool share_processes) {
  if (user_base != 0) {
    auto& users = *option.mutable_userns_options();
    users.set_mode(pb::POD);
    set(*users.add_uids(), user_base);
    set(*users.add_gids(), user_base);
  }
  option.set_network(host.network ? pb::NODE : pb::POD);
  option.set_ipc(host.ipc ? pb::NODE : pb::POD);
  option.set_pid(host.pid ? pb::NODE : share_processes ? pb::POD : pb::CONTAINER);
}

void set(pb::SecurityProfile& message, const RuntimeProfile& profile) {
  using Type = RuntimeProfile::Type;
  message.set_profile_type(profile.type == Type::runtime_default ? pb::SecurityProfile::RuntimeDefault
                           : profile.type == Type::unconfined    ? pb::SecurityProfile::Unconfined
                                                                 : pb::SecurityProfile::Localhost);
  message.set_localhost_ref(profile.localhost);
}

template <typename Repeated>
void append(Repeated* to, const std::vector<std::string>& from) {
  for (const auto& item : from) *to->Add() = item;
}

pb::PodSandboxConfig to_message(const SandboxConfig& config) {
  pb::PodSandboxConfig message;
  message.mutable_metadata()->set_name(config.name);
  message.mutable_metadata()->set_uid(config.uid);
  message.mutable_metadata()->set_namespace_(config.namespace_);
  message.mutable_metadata()->set_attempt(config.attempt);
  message.set_hostname(config.hostname);
  message.set_log_directory(config.log_directory);
  if (config.dns_servers) {
    append(message.mutable_dns_config()->mutable_servers(), *config.dns_servers);
    append(message.mutable_dns_config()->mutable_searches(), config.dns_searches);
    append(message.mutable_dns_config()->mutable_options(), config.dns_options);
  }
  for (const auto& port : config.ports) {
    auto& mapping = *message.add_port_mappings();
    mapping.set_protocol(port.protocol == "UDP" ? pb::UDP : port.protocol == "SCTP" ? pb::SCTP : pb::TCP);
    mapping.set_container_port(port.container_port);
    mapping.set_host_port(port.host_port);
    mapping.set_host_ip(port.host_ip);
  }
  message.mutable_labels()->insert(config.labels.begin(), config.labels.end());
  message.mutable_annotations()->insert(config.annotations.begin(), config.annotations.end());
  auto& linux_config = *message.mutable_linux();
  linux_config.set_cgroup_parent(config.cgroup_parent);
  linux_config.mutable_sysctls()->insert(config.sysctls.begin(), config.sysctls.end());
  auto& security = *linux_config.mutable_security_context();
  set(*security.mutable_namespace_options(), config.host, config.user_base, config.share_process_namespace);
  if (config.run_as_user) security.mutable_run_as_user()->set_value(*config.run_as_user);
  if (config.run_as_group) security.mutable_run_as_group()->set_value(*config.run_as_group);
  for (int64_t group : config.supplemental_groups) security.add_supplemental_groups(group);
  security.set_privileged(config.privileged);
  set(*security.mutable_seccomp(), {RuntimeProfile::Type::runtime_default, ""});
  return message;
}

void set_security(pb::LinuxContainerSecurityContext& security, const ContainerConfig& config) {
  append(security.mutable_capabilities()->mutable_add_capabilities(), config.add_capabilities);
  append(security.mutable_capabilities()->mutable_drop_capabilities(), config.drop_capabilities);
  security.set_privileged(config.privileged);
  set(*security.mutable_namespace_options(), config.host, config.user_base, config.share_process_namespace);
  if (config.run_as_user) security.mutable_run_as_user()->set_value(*config.run_as_user);
  if (config.run_as_group) security.mutable_run_as_group()->set_value(*config.run_as_group);
  security.set_readonly_rootfs(config.readonly_rootfs);
  for (int64_t group : config.supplemental_groups) security.add_supplemental_groups(group);
  security.set_no_new_privs(config.no_new_privileges);
  append(security.mutable_masked_paths(), config.masked_paths);
  append(security.mutable_readonly_paths(), config.readonly_paths);
  set(*security.mutable_seccomp(), config.seccomp);
  if (config.apparmor) set(*security.mutable_apparmor(), *config.apparmor);
}

pb::ContainerConfig to_message(const ContainerConfig& config) {
  pb::ContainerConfig message;
  message.mutable_metadata()->set_name(config.name);
  message.mutable_metadata()->set_attempt(config.attempt);
  message.mutable_image()->set_image(config.image);
  append(message.mutable_command(), config.command);
  append(message.mutable_args(), config.args);
  message.set_working_dir(config.working_dir);
  for (const auto& [name, value] : config.env) {
    auto& variable = *message.add_envs();
    variable.set_key(name);
    variable.set_value(value);
  }
  for (const auto& mount : config.mounts) {
    auto& entry = *message.add_mounts();
    entry.set_host_path(mount.host_path);
    entry.set_container_path(mount.container_path);
    entry.set_readonly(mount.read_only);
    if (mount.user_base != 0) {
      set(*entry.add_uid_mappings(), mount.user_base);
      set(*entry.add_gid_mappings(), mount.user_base);
    }
    entry.set_propagation(static_cast<pb::MountPropagation>(mount.propagation));
  }
  message.mutable_labels()->insert(config.labels.begin(), config.labels.end());
  message.mutable_annotations()->insert(config.annotations.begin(), config.annotations.end());
  message.set_log_path(config.log_path);
  message.set_stdin(config.stdin_open);
  message.set_stdin_once(config.stdin_once);
  message.set_tty(config.tty);
  auto& resources = *message.mutable_linux()->mutable_resources();
  resources.set_cpu_period(config.resources.cpu_period);
  resources.set_cpu_quota(config.resources.cpu_quota);
  resources.set_cpu_shares(config.resources.cpu_shares);
  resources.set_memory_limit_in_bytes(config.resources.memory_limit);
  resources.set_oom_score_adj(config.resources.oom_score_adj);
  set_security(*message.mutable_linux()->mutable_security_context(), config);
  return message;
}

ContainerState to_state(pb::ContainerState state) {
  switch (state) {
    case pb::CONTAINER_CREATED:
      return ContainerState::created;
    case pb::CONTAINER_RUNNING:
      return ContainerState::running;
    case pb::CONTAINER_EXITED:
      return ContainerState::exited;
    default:
      return ContainerState::unknown;
  }
}

class GrpcCri : public Cri {
 public:
  explicit GrpcCri(const std::string& endpoint) : endpoint_(endpoint) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(most_answer);
    // A runtime that is restarted is found again quickly.
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
    const auto channel = grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
    runtime_ = pb::RuntimeService::NewStub(channel);
    images_ = pb::ImageService::NewStub(channel);
  }

  std::string version() override {
    const auto answer = runtime_call("asking for the version", &pb::RuntimeService::Stub::Version,
                                     pb::VersionRequest{}, quick_call);
    return answer.runtime_name() + " " + answer.runtime_version();
  }

  bool has_user_namespaces(const std::string& handler) override {
    const auto answer = runtime_call("asking for the runtime's features", &pb::RuntimeService::Stub::Status,
                                     pb::StatusRequest{}, quick_call);
    for (const auto& item : answer.runtime_handlers())
      if (item.name() == handler) return item.features().user_namespaces();
    return false;
  }

  std::string run_sandbox(const SandboxConfig& config, const std::string& handler) override {
    pb::RunPodSandboxRequest request;
    *request.mutable_config() = to_message(config);
    request.set_runtime_handler(handler);
    return runtime_call("", &pb::RuntimeService::Stub::RunPodSandbox, request, sandbox_call).pod_sandbox_id();
  }

  void stop_sandbox(const std::string& id) override {
    pb::StopPodSandboxRequest request;
    request.set_pod_sandbox_id(id);
    runtime_call("stopping a pod sandbox", &pb::RuntimeService::Stub::StopPodSandbox, request, sandbox_call);
  }

  void remove_sandbox(const std::string& id) override {
    pb::RemovePodSandboxRequest request;
    request.set_pod_sandbox_id(id);
    runtime_call("removing a pod sandbox", &pb::RuntimeService::Stub::RemovePodSandbox, request,
                 sandbox_call);
  }

  std::string sandbox_ip(const std::string& id) override {
    pb::PodSandboxStatusRequest request;
    request.set_pod_sandbox_id(id);
    return runtime_call("asking for a pod sandbox", &pb::RuntimeService::Stub::PodSandboxStatus, request,
                        quick_call)
        .status()
        .network()
        .ip();
  }

  std::vector<SandboxInfo> list_sandboxes(const StringMap& labels) override {
    pb::ListPodSandboxRequest request;
    request.mutable_filter()->mutable_label_selector()->insert(labels.begin(), labels.end());
    std::vector<SandboxInfo> sandboxes;
    const auto answer =
        runtime_call("listing pod sandboxes", &pb::RuntimeService::Stub::ListPodSandbox, request, quick_call);
    for (const auto& item : answer.items())
      sandboxes.push_back({item.id(), item.metadata().name(), item.metadata().uid(),
                           item.metadata().namespace_(), item.metadata().attempt(),
                           item.state() == pb::SANDBOX_READY, item.created_at()});
    return sandboxes;
  }

  std::string create_container(const std::string& sandbox_id, const ContainerConfig& config,
                               const SandboxConfig& sandbox) override {
    pb::CreateContainerRequest request;
    request.set_pod_sandbox_id(sandbox_id);
    *request.mutable_config() = to_message(config);
    *request.mutable_sandbox_config() = to_message(sandbox);
    return runtime_call("", &pb::RuntimeService::Stub::CreateContainer, request, start_call).container_id();
  }

  void start_container(const std::string& id) override {
    pb::StartContainerRequest request;
    request.set_container_id(id);
    runtime_call("", &pb::RuntimeService::Stub::StartContainer, request, start_call);
  }

  void stop_container(const std::string& id, seconds grace) override {
    pb::StopContainerRequest request;
    request.set_container_id(id);
    request.set_timeout(grace.count());
    runtime_call("stopping a container", &pb::RuntimeService::Stub::StopContainer, request,
                 grace + quick_call);
  }

  void reopen_log(const std::string& id) override {
    pb::ReopenContainerLogRequest request;
    request.set_container_id(id);
    runtime_call("opening a container's log anew", &pb::RuntimeService::Stub::ReopenContainerLog, request,
                 quick_call);
  }

  void remove_container(const std::string& id) override {
    pb::RemoveContainerRequest request;
    request.set_container_id(id);
    runtime_call("removing a container", &pb::RuntimeService::Stub::RemoveContainer, request, quick_call);
  }

  std::vector<ContainerInfo> list_containers(const StringMap& labels) override {
    pb::ListContainersRequest request;
    request.mutable_filter()->mutable_label_selector()->insert(labels.begin(), labels.end());
    std::vector<ContainerInfo> containers;
    const auto answer =
        runtime_call("listing containers", &pb::RuntimeService::Stub::ListContainers, request, quick_call);
    for (const auto& item : answer.containers()) {
      ContainerInfo info;
      info.id = item.id();
      info.sandbox_id = item.pod_sandbox_id();
      info.name = item.metadata().name();
      info.attempt = item.metadata().attempt();
      info.state = to_state(item.state());
      info.created_at = item.created_at();
      containers.push_back(std::move(info));
    }
    return containers;
  }

  ContainerInfo container_status(const std::string& id) override {
    pb::ContainerStatusRequest request;
    request.set_container_id(id);
    const auto status = runtime_call("asking for a container", &pb::RuntimeService::Stub::ContainerStatus,
                                     request, quick_call)
                            .status();
    ContainerInfo info;
    info.id = status.id();
    info.name = status.metadata().name();
    info.attempt = status.metadata().attempt();
    info.state = to_state(status.state());
    info.created_at = status.created_at();
    info.started_at = status.started_at();
    info.finished_at = status.finished_at();
    info.exit_code = status.exit_code();
    info.reason = status.reason();
    info.message = status.message();
    return info;
  }

  ExecResult exec(const std::string& id, const std::vector<std::string>& command, seconds timeout) override {
    pb::ExecSyncRequest request;
    request.set_container_id(id);
    append(request.mutable_cmd(), command);
    request.set_timeout(timeout.count());
    const seconds limit = timeout.count() == 0 ? std::chrono::hours(24) : timeout + seconds(10);
    auto answer = runtime_call("", &pb::RuntimeService::Stub::ExecSync, request, limit);
    return {answer.exit_code(), std::move(*answer.mutable_stdout()), std::move(*answer.mutable_stderr())};
  }

  std::optional<ImageInfo> image(const std::string& name) override {
    pb::ImageStatusRequest request;
    request.mutable_image()->set_image(name);
    const auto answer =
        call("asking for an image", *images_, &pb::ImageService::Stub::ImageStatus, request, quick_call);
    if (!answer.has_image()) return std::nullopt;
    ImageInfo info;
    info.id = answer.image().id();
    if (answer.image().has_uid()) info.uid = answer.image().uid().value();
    info.username = answer.image().username();
    return info;
  }

 private:
  // Makes one unary call. `doing`, if not empty, comes in front of the runtime's own text.
  template <typename Stub, typename Request, typename Response>
  Response call(const char* doing, Stub& stub,
                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request, seconds limit) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (status.ok()) return response;
    const std::string prefix = *doing ? std::string(doing) + ": " : "";
    // A shim that cannot reach floxd is "unavailable" too, but then containerd did answer. gRPC's own text
    // for no connection begins like this (grpc 1.51).
    const bool nobody_answers = status.error_message().starts_with("failed to connect") ||
                                status.error_message().starts_with("connections to all backends failing");
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE && nobody_answers)
      throw Error(
          ErrorKind::unavailable,
          fmt::format("{}no container runtime answers at {}: {}", prefix, endpoint_, status.error_message()),
          "Check that containerd runs with its CRI plugin, or pass another socket with --runtime-endpoint.");
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED)
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}the runtime at {} does not speak CRI v1: {}", prefix, endpoint_,
                              status.error_message()),
                  "Containerd's CRI plugin must be on (it must not be listed in disabled_plugins) and of "
                  "containerd 1.6 or newer.");
    throw Error(kind_of(status), prefix + status.error_message());
  }

  template <typename Request, typename Response>
  Response runtime_call(const char* doing,
                        grpc::Status (pb::RuntimeService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                         Response*),
                        const Request& request, seconds limit) {
    return call(doing, *runtime_, method, request, limit);
  }

  std::string endpoint_;
  std::unique_ptr<pb::RuntimeService::Stub> runtime_;
  std::unique_ptr<pb::ImageService::Stub> images_;
};

}  // namespace

std::unique_ptr<Cri> connect_cri(const std::string& endpoint) {
  if (endpoint.starts_with("unix://")) return std::make_unique<GrpcCri>("unix:" + endpoint.substr(7));
  if (endpoint.starts_with("/")) return std::make_unique<GrpcCri>("unix:" + endpoint);
  throw Error(ErrorKind::invalid_input,
              fmt::format("runtime endpoint {}: not the address of a local socket", endpoint),
              "Write it as unix:///run/containerd/containerd.sock.");
}

}  // namespace flox::kube
