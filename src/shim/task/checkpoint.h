// What the Checkpoint call and a Create with a checkpoint ask of the OCI runtime (docs/formats/shim.md).
#pragma once

#include <filesystem>

#include "oci/runtime.h"
#include "shim/protocol/task.pb.h"
#include "shim/runtime/options.h"

namespace flox::shim {

// From containerd.runc.v1.CheckpointOptions or containerd.linux.runc.CheckpointOptions; an empty type gives
// the defaults. Without a work path criu works in BUNDLE/work/criu-work. Throws Error(invalid_input) for
// other types.
oci::Runtime::Checkpoint checkpoint_of(const wire::CheckpointTaskRequest& request,
                                       const std::filesystem::path& bundle);

// How to restore what the Create request names.
oci::Runtime::Checkpoint restore_of(const wire::CreateTaskRequest& request, const RuntimeOptions& options);

}  // namespace flox::shim
