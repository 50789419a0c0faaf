#include "shim/imageless/imageless.h"

#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/os/directory.h"
#include "protocol/node.ttrpc.h"
#include "protocol/places.h"
#include "shim/imageless/mutable_nix.h"
#include "shim/imageless/reserved_places.h"
#include "shim/imageless/rootfs.h"
#include "shim/io/shim_log.h"
#include "ttrpc/client.h"

namespace flox::shim {
namespace {

constexpr Milliseconds prepare_limit{std::chrono::minutes(15)};  // a first realise downloads everything
constexpr Milliseconds release_limit{2000};
constexpr std::string_view fallback_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool on_path(std::string_view path, std::string_view directory) {
  for (size_t at = 0; at <= path.size();) {
    size_t end = std::min(path.find(':', at), path.size());
    if (path.substr(at, end - at) == directory) return true;
    at = end + 1;
  }
  return false;
}

// The runtime's tools are in /bin and /usr/bin, whatever PATH the image or the activation gave.
void ensure_path(oci::Environment& environment) {
  std::string path = oci::get_variable(environment, "PATH").value_or("");
  if (path.empty()) path = fallback_path;
  for (const char* directory : {"/usr/bin", "/bin"})
    if (!on_path(path, directory)) path += std::string(":") + directory;
  oci::set_variable(environment, "PATH", path);
}

// The token of the pod's service account, as the kubelet mounts it: DIRECTORY/token is a link to
// ..data/token, and ..data one to a directory beside it. Whatever else may stand there is no token; floxd
// believes it only if the API server has signed it.
std::string service_account_token(const oci::RuntimeSpec& spec) {
  constexpr size_t most = 16 << 10;
  const std::string source = spec.mount_source("/var/run/secrets/kubernetes.io/serviceaccount");
  if (source.empty()) return {};
  try {
    const Directory directory(source);
    return directory.read_file(directory.read_link("..data") + "/token", most);
  } catch (const Error& error) {
    log_warning("the service account's token: {}", error.what());
    return {};
  }
}

bool wants_mutable_nix(const oci::RuntimeSpec& spec) {
  if (spec.annotation(mutable_annotation) != "true") return false;
  if (spec.has_user_namespace())
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("{}: the container has a user namespace, whose users cannot own it", mutable_annotation),
        "Leave out one of the two: the annotation, or hostUsers: false.");
  return true;
}

// Of a container whose image is an environment the pod's annotation for all containers is not meant.
void check_only_image(const oci::RuntimeSpec& spec, const ImageMarker& image) {
  const std::string annotation = "flox.dev/environment." + container_name(spec);
  if (!container_name(spec).empty() && !spec.annotation(annotation).empty())
    throw Error(ErrorKind::invalid_input,
                fmt::format("the container's image is {}, and annotation {} names {}", image.environment,
                            annotation, spec.annotation(annotation)),
                "Leave out one of the two.");
}

node::v1::PrepareRequest request_for(const std::string& id, const oci::RuntimeSpec& spec,
                                     const std::optional<ImageMarker>& image, const oci::ProcessSpec& process,
                                     const oci::Environment& environment) {
  node::v1::PrepareRequest request;
  std::string sandbox = spec.annotation("io.kubernetes.cri.sandbox-id");
  request.set_container_id(id);
  request.set_pod_id(sandbox.empty() ? id : sandbox);
  request.set_pod_namespace(spec.annotation("io.kubernetes.cri.sandbox-namespace"));
  request.set_pod_name(spec.annotation("io.kubernetes.cri.sandbox-name"));
  request.set_container_name(container_name(spec));
  if (image) {
    request.set_image_id(image->id);
    request.set_image_environment(image->environment);
  } else {
    request.set_environment(environment_of(spec));
  }
  request.set_activate_mode(spec.annotation("flox.dev/activate-mode"));
  for (const std::string& word : process.args()) request.add_args(word);
  for (const std::string& entry : environment) request.add_env(entry);
  request.set_cwd(process.cwd());
  request.set_uid(process.uid());
  request.set_gid(process.gid());
  request.set_store_view(spec.annotation("flox.dev/store-view"));
  request.set_nix_mutable(wants_mutable_nix(spec));
  request.set_pod_uid(spec.annotation("io.kubernetes.cri.sandbox-uid"));
  request.set_service_account_token(service_account_token(spec));
  return request;
}

void ask_for_volumes(const std::vector<ImageVolume>& volumes, node::v1::PrepareRequest& request) {
  for (const ImageVolume& volume : volumes) {
    node::v1::ImageVolume* asked = request.add_volumes();
    asked->set_image_id(volume.marker.id);
    asked->set_image_environment(volume.marker.environment);
  }
}

void mount_volumes(const node::v1::PrepareResponse& response, const std::vector<ImageVolume>& volumes,
                   oci::RuntimeSpec& spec) {
  if (response.volume_directories_size() != static_cast<int>(volumes.size()))
    throw Error(ErrorKind::internal, "floxd's answer lacks the volumes that are environments",
                "Update floxd on this node.");
  for (size_t i = 0; i < volumes.size(); ++i)
    spec.set_mount(volumes[i].mount, {{},
                                      "bind",
                                      response.volume_directories(static_cast<int>(i)),
                                      {"rbind", "rprivate", "ro", "nosuid", "nodev"}});
}

// The node's store, read-only. "exec" stays allowed: programs live there.
void mount_store(const std::string& store, oci::RuntimeSpec& spec) {
  spec.add_mount({"/nix/store", "bind", store, {"rbind", "rprivate", "ro", "nosuid", "nodev"}});
}

// The size of the container's own /nix is its memory limit, which it counts against.
void mount_mutable_nix(const std::string& store, const fs::path& bundle, oci::RuntimeSpec& spec,
                       const oci::ProcessSpec& process) {
  const fs::path source = attach_mutable_nix({.store = store,
                                              .uid = process.uid(),
                                              .gid = process.gid(),
                                              .bytes = spec.memory_limit(),
                                              .label = spec.mount_label()},
                                             bundle);
  spec.add_mount({"/nix", "bind", source, {"rbind", "rprivate", "nosuid", "nodev"}});
}

void check_answer(const node::v1::PrepareResponse& response, bool mutable_nix) {
  if (response.store_directory().empty() || response.runtime_path().empty())
    fail(ErrorKind::internal, "floxd's answer lacks the store or the runtime");
  // An older floxd does not know the question, and whether its node would allow it.
  if (mutable_nix && !response.nix_mutable())
    throw Error(ErrorKind::untrusted, fmt::format("{}: floxd did not allow it", mutable_annotation),
                "Update floxd on this node and set allow_nix_mutable = true in its configuration.");
}

void apply(const node::v1::PrepareResponse& response, oci::RuntimeSpec& spec, oci::ProcessSpec& process,
           oci::Environment& environment) {
  if (!response.pod_socket_directory().empty())
    spec.add_mount({"/run/flox",
                    "bind",
                    response.pod_socket_directory(),
                    {"rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"}});
  if (response.env_size() > 0) environment.assign(response.env().begin(), response.env().end());
  ensure_path(environment);
  process.set_env(environment);
  if (response.args_size() > 0) process.set_args({response.args().begin(), response.args().end()});
  spec.set_process(process);
}

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

// Of each variable the last value, as get_variable has it: a pod can bring 100,000 of them.
using Values = std::unordered_map<std::string_view, std::string_view>;
Values values_of(const oci::Environment& environment) {
  Values values;
  for (const std::string_view entry : environment)
    if (const size_t equals = entry.find('='); equals != std::string_view::npos)
      values.insert_or_assign(entry.substr(0, equals), entry.substr(equals + 1));
  return values;
}
std::optional<std::string_view> value_in(const Values& values, std::string_view name) {
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

oci::Environment Activation::merged(const oci::Environment& exec) const {
  oci::Environment result;
  const Values old_values = values_of(before), new_values = values_of(after), wishes = values_of(exec);
  std::unordered_set<std::string_view> taken;
  for (const std::string& entry : exec) {
    const std::string_view name = name_of(entry);
    const bool copied = value_in(old_values, name) == value_in(wishes, name);
    if (!copied)
      result.push_back(entry);  // the exec's own wish
    else if (const auto value = value_in(new_values, name); value && taken.insert(name).second)
      result.push_back(fmt::format("{}={}", name, *value));
    // copied but gone after activation: the activation unset it
  }
  for (const std::string& entry : after)
    if (!value_in(wishes, name_of(entry))) result.push_back(entry);
  return result;
}

std::string Imageless::default_socket() {
  const char* socket = std::getenv(protocol::node_socket_variable);
  return socket != nullptr && *socket != '\0' ? socket : protocol::node_socket;
}

asio::awaitable<node::v1::PrepareResponse> Imageless::ask(node::v1::PrepareRequest request,
                                                          Milliseconds limit) {
  ttrpc::Client client(executor_, node_socket_);
  limit = std::min(limit, prepare_limit);
  const auto begin = std::chrono::steady_clock::now();
  try {
    co_return co_await client.call(node::v1::Node::Prepare, std::move(request), limit);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    const bool late = std::chrono::steady_clock::now() - begin >= limit;
    throw error.with_context("asking floxd for the container's environment")
        .with_advice(late ? "It may still be fetching: the next attempt finds what has come by then."
                          : "Is floxd running on this node? `flox node status` tells.");
  }
}

asio::awaitable<void> Imageless::prepare_volumes(std::string container_id, oci::RuntimeSpec& spec,
                                                 const std::vector<ImageVolume>& volumes,
                                                 Milliseconds limit) {
  auto request = request_for(container_id, spec, {}, spec.process(), {});
  request.clear_environment();
  request.clear_args();
  request.clear_nix_mutable();
  request.clear_store_view();
  request.set_volumes_only(true);
  ask_for_volumes(volumes, request);
  mount_volumes(co_await ask(std::move(request), limit), volumes, spec);
}

asio::awaitable<std::optional<Activation>> Imageless::prepare(std::string container_id,
                                                              oci::RuntimeSpec& spec,
                                                              const std::optional<ImageMarker>& image,
                                                              const std::vector<ImageVolume>& volumes,
                                                              fs::path bundle, Milliseconds limit) {
  if (image) check_only_image(spec, *image);
  const fs::path root = bundle / spec.root_path();  // an absolute path stands for itself
  check_places(spec, Rootfs(root));
  oci::ProcessSpec process = spec.process();
  Activation activation;
  activation.before = process.env();
  activation.after = activation.before;
  ensure_path(activation.after);
  if (oci::get_variable(activation.after, "HOME").value_or("").empty() && !Rootfs(root).exists("/etc/passwd"))
    oci::set_variable(activation.after, "HOME", home_of(process.uid()));

  auto request = request_for(container_id, spec, image, process, activation.after);
  ask_for_volumes(volumes, request);
  const node::v1::PrepareResponse response = co_await ask(std::move(request), limit);
  const bool mutable_nix = wants_mutable_nix(spec);
  check_answer(response, mutable_nix);

  RuntimeTools tools{response.runtime_path(),
                     fs::path(response.store_directory()) / fs::path(response.runtime_path()).filename()};
  in_context("filling the container's root",
             [&] { fill_rootfs(Rootfs(root), tools, process.uid(), process.gid()); });
  if (mutable_nix)
    mount_mutable_nix(response.store_directory(), bundle, spec, process);
  else
    mount_store(response.store_directory(), spec);
  mount_volumes(response, volumes, spec);
  apply(response, spec, process, activation.after);
  if (annotation_lists(spec, "flox.dev/skip-containers-exec", container_name(spec))) co_return std::nullopt;
  co_return activation;
}

asio::awaitable<bool> Imageless::release(std::string container_id) {
  node::v1::ReleaseRequest request;
  request.set_container_id(container_id);
  try {
    ttrpc::Client client(executor_, node_socket_);
    co_await client.call(node::v1::Node::Release, std::move(request), release_limit);
    co_return true;
  } catch (const Error& error) {
    log_warning("releasing the environment of {}: {}", container_id, error.what());
    co_return false;
  }
}

}  // namespace flox::shim
