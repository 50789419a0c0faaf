// Why a container could not read its environment's files, where the kubelet looks for a container's last
// words: it shows them as the message of the terminated state (Kubernetes, "Determine the Reason for Pod
// Failure").
#pragma once

#include <filesystem>
#include <string_view>

namespace flox::shim {

// Where the kubelet mounts the file, unless the pod names another place.
inline constexpr std::string_view termination_log = "/dev/termination-log";

// Writes what could not be read into the file, which is the host's, unless it has something already, is no
// regular file, or is not one that everybody may write, as the kubelet's is; at most 4096 bytes, of which the
// kubelet reads no more. Throws Error.
void write_termination_message(const std::filesystem::path& file, std::string_view unread);

}  // namespace flox::shim
