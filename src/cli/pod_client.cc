#include "cli/pod_client.h"

#include "base/data/json.h"
#include "base/error.h"
#include "protocol/pod.ttrpc.h"
#include "ttrpc/blocking_client.h"

namespace flox::cli {
namespace {

template <typename Request, typename Response>
Response call(const std::string& socket, const ttrpc::Method<Request, Response>& method,
              const Request& request) {
  try {
    return ttrpc::BlockingClient(socket).call(method, request);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    throw error.with_context("asking this node's floxd")
        .with_advice("Ask the operator of this node to run 'flox node status'.");
  }
}

}  // namespace

env::LockedPackage PodResolver::resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                                        std::string_view system) {
  nlohmann::json wanted = {{"pkg-path", descriptor.pkg_path},
                           {"pkg-group", descriptor.pkg_group},
                           {"priority", descriptor.priority}};
  if (descriptor.version) wanted["version"] = *descriptor.version;
  pod::v1::ResolveRequest request;
  request.set_install_id(std::string(install_id));
  request.set_descriptor_json(wanted.dump());
  request.set_system(std::string(system));
  const pod::v1::ResolveResponse answer = call(socket_, pod::v1::Pod::Resolve, request);
  nlohmann::json lock = {{"lockfile-version", 1},
                         {"packages", {parse_json(answer.package_json(), "floxd's answer")}}};
  return env::Lockfile::parse(lock.dump()).packages.at(0);
}

std::string default_environment(const std::string& socket) {
  return call(socket, pod::v1::Pod::DefaultEnvironment, pod::v1::DefaultEnvironmentRequest()).environment();
}

nix::StorePath PodRealiser::realise(const env::Lockfile& lock, std::string_view system,
                                    std::string_view mode) {
  pod::v1::RealiseRequest request;
  request.set_lock_json(lock.to_string());
  request.set_system(std::string(system));
  request.set_mode(std::string(mode));
  return nix::StorePath::parse(call(socket_, pod::v1::Pod::Realise, request).profile());
}

}  // namespace flox::cli
