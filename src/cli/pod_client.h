// The in-pod side of the pod protocol: the flox in a pod resolves and realises through floxd
// (docs/reference/node-protocol.md).
#pragma once

#include <string>

#include "env/environment.h"

namespace flox::cli {

// Both connect anew for each call; Error(unavailable) names the socket if floxd does not answer.
class PodResolver : public env::Resolver {
 public:
  explicit PodResolver(std::string socket) : socket_(std::move(socket)) {}
  env::LockedPackage resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override;
  // An environment in a pod is for the pod.
  std::vector<std::string> systems() const override { return {env::current_system()}; }

 private:
  std::string socket_;
};

// The environment that the node gives this pod's namespace, as "name[@version]"; empty if none. Throws as
// above.
std::string default_environment(const std::string& socket);

class PodRealiser : public env::Realiser {
 public:
  explicit PodRealiser(std::string socket) : socket_(std::move(socket)) {}
  nix::StorePath realise(const env::Lockfile& lock, std::string_view system, std::string_view mode) override;

 private:
  std::string socket_;
};

}  // namespace flox::cli
