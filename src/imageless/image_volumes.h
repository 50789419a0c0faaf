// Volumes whose image is an environment (Kubernetes' image volumes): containerd mounts the image, which holds
// nothing but its marker, and the shim puts what the image names in its place.
#pragma once

#include <cstddef>
#include <vector>

#include "imageless/image_marker.h"
#include "oci/runtime_spec.h"

namespace flox::imageless {

struct ImageVolume {
  size_t mount;  // its place among the spec's mounts
  ImageMarker marker;
};

// The mounts of the spec that containerd has made of images with a marker: their sources are
// …/image-volumes/SANDBOX/DIGEST. A directory of the pod's own with such a file is none.
std::vector<ImageVolume> image_volumes_of(const oci::RuntimeSpec& spec);

}  // namespace flox::imageless
