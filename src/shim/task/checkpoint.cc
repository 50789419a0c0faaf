#include "shim/task/checkpoint.h"

#include "base/error.h"

namespace flox::shim {
namespace {

// Both messages have the same fields but for the numbers of the paths, which nobody sends both of.
template <typename Message>
oci::Runtime::Checkpoint from(const std::string& bytes, const std::string& type) {
  Message message;
  if (!message.ParseFromString(bytes)) fail(ErrorKind::invalid_input, "malformed {}", type);
  oci::Runtime::Checkpoint how;
  how.leave_running = !message.exit();
  how.tcp_established = message.open_tcp();
  how.external_unix_sockets = message.external_unix_sockets();
  how.shell_job = message.terminal();
  how.file_locks = message.file_locks();
  how.empty_namespaces.assign(message.empty_namespaces().begin(), message.empty_namespaces().end());
  how.cgroups_mode = message.cgroups_mode();
  how.work_path = message.work_path();
  return how;
}

oci::Runtime::Checkpoint decode(const wire::Any& any) {
  const std::string type = bare_type(any.type_url());
  if (type.empty() || any.value().empty()) return {.leave_running = true};
  if (type == "containerd.runc.v1.CheckpointOptions") return from<wire::CheckpointOptions>(any.value(), type);
  if (type == "containerd.linux.runc.CheckpointOptions")
    return from<wire::LegacyCheckpointOptions>(any.value(), type);
  fail(ErrorKind::invalid_input, "unsupported checkpoint options type {}", any.type_url());
}

}  // namespace

oci::Runtime::Checkpoint checkpoint_of(const wire::CheckpointTaskRequest& request,
                                       const std::filesystem::path& bundle) {
  oci::Runtime::Checkpoint how = decode(request.options());
  how.image_path = request.path();
  if (how.work_path.empty()) how.work_path = bundle / "work" / "criu-work";
  return how;
}

oci::Runtime::Checkpoint restore_of(const wire::CreateTaskRequest& request, const RuntimeOptions& options) {
  oci::Runtime::Checkpoint from;
  from.image_path = request.checkpoint();
  from.parent_path = request.parent_checkpoint();
  from.work_path = options.criu_work_path;
  if (from.work_path.empty()) from.work_path = std::filesystem::path(request.bundle()) / "work" / "criu-work";
  return from;
}

}  // namespace flox::shim
