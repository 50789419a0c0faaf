// What is done to the OCI spec of a container that names an environment: what floxd is asked for it, and what
// the answer changes. The shim does it to its bundle's config.json, and floxd itself to what containerd tells
// it of containers under other runtimes (node/nri): the rules are these for both.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "imageless/image_marker.h"
#include "imageless/image_volumes.h"
#include "oci/runtime_spec.h"
#include "protocol/node.pb.h"

namespace flox::imageless {

// Told of what is no error but should be in a log.
using Warn = std::function<void(const std::string&)>;

// What a container has that is an environment, beside its annotations.
struct Images {
  std::optional<ImageMarker> image;  // its own image
  std::vector<ImageVolume> volumes;
};

// The home directory of a user of a root that knows no users.
std::string home_of(uint32_t uid);

// The variables with which the container comes into its activation: PATH leads to the runtime's tools, and
// where the root knows no users (/etc/passwd), HOME is set.
oci::Environment first_environment(const oci::ProcessSpec& process, bool has_users);

// Who the container is, and as whom its process runs: the part of a request that nothing is read for.
node::v1::PrepareRequest identity_of(const std::string& container_id, const oci::RuntimeSpec& spec);
// What floxd is asked for the container, whose process has these variables. Throws Error(invalid_input) for
// annotations that exclude each other.
node::v1::PrepareRequest request_for(const std::string& container_id, const oci::RuntimeSpec& spec,
                                     const Images& images, const oci::Environment& environment,
                                     const Warn& warn);
// The same for an ordinary container that has volumes of environments: it gets these alone.
node::v1::PrepareRequest request_for_volumes(const std::string& container_id, const oci::RuntimeSpec& spec,
                                             const std::vector<ImageVolume>& volumes, const Warn& warn);

// Throws Error for an answer that lacks what was asked for, as an older floxd's can.
void check_answer(const node::v1::PrepareRequest& request, const node::v1::PrepareResponse& answer);

// Mounts the answer's store, which nobody can write to.
void mount_store(const node::v1::PrepareResponse& answer, oci::RuntimeSpec& spec);
// Puts the volumes' files in the place of the images that containerd has mounted.
void mount_volumes(const node::v1::PrepareResponse& answer, const std::vector<ImageVolume>& volumes,
                   oci::RuntimeSpec& spec);
// Mounts the pod's socket, and makes the process run in its activation; `environment` becomes what it then
// has.
void activate(const node::v1::PrepareResponse& answer, oci::RuntimeSpec& spec, oci::Environment& environment);

}  // namespace flox::imageless
