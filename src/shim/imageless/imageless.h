// Containers that name an environment instead of an image (imageless/annotations.h says which ones they are):
// asking floxd for it, and what is done to their root before the OCI runtime sees it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "imageless/spec_edit.h"
#include "oci/runtime_spec.h"
#include "protocol/node.pb.h"
#include "shim/process/waiting.h"

namespace flox::shim {

namespace fs = std::filesystem;

// What a client's call says beside its message.
struct CallTerms {
  Milliseconds limit;       // how long it waits for the answer
  std::string traceparent;  // the trace that it belongs to; empty: none
};

// What a container's later execs need to run inside its activation, too.
struct Activation {
  oci::Environment before;  // as the client asked for, which CRI copies into every exec
  oci::Environment after;

  // An exec's environment: the activation's variables, but the exec's own where it asked for other values
  // than the container had.
  oci::Environment merged(const oci::Environment& exec) const;
};

class Imageless {
 public:
  // How long floxd may be away while it is replaced by another one where systemd keeps no socket for it. On a
  // machine that is not busy it takes 0.1 s.
  static constexpr Milliseconds usual_patience{5000};
  Imageless(Executor executor, std::string node_socket, Milliseconds patience = usual_patience)
      : executor_(std::move(executor)), node_socket_(std::move(node_socket)), patience_(patience) {}

  // Asks floxd to have the environment present and leased: that of the container's image, if that is one,
  // else what its annotations name. Then edits `spec` (imageless/spec_edit.h) and fills the root directory.
  // Gives nothing if execs are to run outside (flox.dev/skip-containers-exec). Throws Error: floxd's, or what
  // is wrong with the annotations or the mounts. What it may have attached below the bundle is for
  // detach_mutable_nix to take away, once the container is made or was given up.
  asio::awaitable<std::optional<Activation>> prepare(std::string container_id, oci::RuntimeSpec& spec,
                                                     const imageless::Images& images, fs::path bundle,
                                                     CallTerms terms);
  // The same for an ordinary container that has volumes of environments: these alone are edited in.
  asio::awaitable<void> prepare_volumes(std::string container_id, oci::RuntimeSpec& spec,
                                        const std::vector<imageless::ImageVolume>& volumes, CallTerms terms);

  // Gives the lease back; nothing if that failed, which is logged: floxd collects leases of containers that
  // are gone.
  asio::awaitable<std::optional<node::v1::ReleaseResponse>> release(std::string container_id);

  // FLOX_NODE_SOCKET, else /run/flox/node.sock.
  static std::string default_socket();

 private:
  asio::awaitable<node::v1::PrepareResponse> ask(node::v1::PrepareRequest request, CallTerms terms);
  Executor executor_;
  std::string node_socket_;
  Milliseconds patience_;
};

}  // namespace flox::shim
