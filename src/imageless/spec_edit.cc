#include "imageless/spec_edit.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/os/directory.h"
#include "imageless/annotations.h"

namespace flox::imageless {
namespace {

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
std::string service_account_token(const oci::RuntimeSpec& spec, const Warn& warn) {
  constexpr size_t most = 16 << 10;
  const std::string source = spec.mount_source("/var/run/secrets/kubernetes.io/serviceaccount");
  // Another volume may be a file system whose server never answers. The kubelet alone makes directories of
  // this name: a volume's own has no slash.
  if (source.find("/volumes/kubernetes.io~projected/") == std::string::npos) return {};
  try {
    const Directory directory(source);
    return directory.read_file(directory.read_link("..data") + "/token", most);
  } catch (const Error& error) {
    warn(fmt::format("the service account's token: {}", error.what()));
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

void ask_for_volumes(const std::vector<ImageVolume>& volumes, node::v1::PrepareRequest& request) {
  for (const ImageVolume& volume : volumes) {
    node::v1::ImageVolume* asked = request.add_volumes();
    asked->set_image_id(volume.marker.id);
    asked->set_image_environment(volume.marker.environment);
  }
}

}  // namespace

std::string home_of(uint32_t uid) { return uid == 0 ? "/root" : "/home/flox"; }

oci::Environment first_environment(const oci::ProcessSpec& process, bool has_users) {
  oci::Environment environment = process.env();
  ensure_path(environment);
  if (!has_users && oci::get_variable(environment, "HOME").value_or("").empty())
    oci::set_variable(environment, "HOME", home_of(process.uid()));
  return environment;
}

node::v1::PrepareRequest identity_of(const std::string& container_id, const oci::RuntimeSpec& spec) {
  node::v1::PrepareRequest request;
  const std::string sandbox = spec.annotation("io.kubernetes.cri.sandbox-id");
  request.set_container_id(container_id);
  request.set_pod_id(sandbox.empty() ? container_id : sandbox);
  request.set_pod_namespace(spec.annotation("io.kubernetes.cri.sandbox-namespace"));
  request.set_pod_name(spec.annotation("io.kubernetes.cri.sandbox-name"));
  request.set_container_name(container_name(spec));
  request.set_pod_uid(spec.annotation("io.kubernetes.cri.sandbox-uid"));
  const oci::ProcessSpec process = spec.process();
  request.set_cwd(process.cwd());
  request.set_uid(process.uid());
  request.set_gid(process.gid());
  return request;
}

node::v1::PrepareRequest request_for(const std::string& container_id, const oci::RuntimeSpec& spec,
                                     const Images& images, const oci::Environment& environment,
                                     const Warn& warn) {
  if (images.image) check_only_image(spec, *images.image);
  node::v1::PrepareRequest request = identity_of(container_id, spec);
  request.set_service_account_token(service_account_token(spec, warn));
  if (images.image) {
    request.set_image_id(images.image->id);
    request.set_image_environment(images.image->environment);
  } else {
    request.set_environment(environment_of(spec));
  }
  request.set_activate_mode(spec.annotation("flox.dev/activate-mode"));
  for (const std::string& word : spec.process().args()) request.add_args(word);
  for (const std::string& entry : environment) request.add_env(entry);
  request.set_store_view(spec.annotation("flox.dev/store-view"));
  request.set_lazy(spec.annotation("flox.dev/lazy"));
  request.set_nix_mutable(wants_mutable_nix(spec));
  ask_for_volumes(images.volumes, request);
  return request;
}

node::v1::PrepareRequest request_for_volumes(const std::string& container_id, const oci::RuntimeSpec& spec,
                                             const std::vector<ImageVolume>& volumes, const Warn& warn) {
  node::v1::PrepareRequest request = identity_of(container_id, spec);
  request.set_service_account_token(service_account_token(spec, warn));
  request.set_volumes_only(true);
  ask_for_volumes(volumes, request);
  return request;
}

void check_answer(const node::v1::PrepareRequest& request, const node::v1::PrepareResponse& answer) {
  if (answer.store_directory().empty() || answer.runtime_path().empty())
    fail(ErrorKind::internal, "floxd's answer lacks the store or the runtime");
  // An older floxd does not know the question, and would let the container run without its image.
  if (!request.image_id().empty() && answer.profile().empty())
    throw Error(ErrorKind::internal,
                fmt::format("image of {}: floxd does not know images that are environments",
                            request.image_environment()),
                "Update floxd on this node.");
  // The same: nobody knows whether its node would allow it.
  if (request.nix_mutable() && !answer.nix_mutable())
    throw Error(ErrorKind::untrusted, fmt::format("{}: floxd did not allow it", mutable_annotation),
                "Update floxd on this node and set allow_nix_mutable = true in its configuration.");
}

// "exec" stays allowed: programs live there.
void mount_store(const node::v1::PrepareResponse& answer, oci::RuntimeSpec& spec) {
  spec.add_mount(
      {"/nix/store", "bind", answer.store_directory(), {"rbind", "rprivate", "ro", "nosuid", "nodev"}});
}

void mount_volumes(const node::v1::PrepareResponse& answer, const std::vector<ImageVolume>& volumes,
                   oci::RuntimeSpec& spec) {
  if (answer.volume_directories_size() != static_cast<int>(volumes.size()))
    throw Error(ErrorKind::internal, "floxd's answer lacks the volumes that are environments",
                "Update floxd on this node.");
  for (size_t i = 0; i < volumes.size(); ++i)
    spec.set_mount(volumes[i].mount, {{},
                                      "bind",
                                      answer.volume_directories(static_cast<int>(i)),
                                      {"rbind", "rprivate", "ro", "nosuid", "nodev"}});
}

void activate(const node::v1::PrepareResponse& answer, oci::RuntimeSpec& spec,
              oci::Environment& environment) {
  if (!answer.pod_socket_directory().empty())
    spec.add_mount({"/run/flox",
                    "bind",
                    answer.pod_socket_directory(),
                    {"rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"}});
  if (answer.env_size() > 0) environment.assign(answer.env().begin(), answer.env().end());
  ensure_path(environment);
  oci::ProcessSpec process = spec.process();
  process.set_env(environment);
  if (answer.args_size() > 0) process.set_args({answer.args().begin(), answer.args().end()});
  spec.set_process(process);
}

}  // namespace flox::imageless
