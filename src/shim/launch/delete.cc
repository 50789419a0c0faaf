#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "oci/mount.h"
#include "protocol/node.ttrpc.h"
#include "shim/imageless/imageless.h"
#include "shim/imageless/mutable_nix.h"
#include "shim/launch/commands.h"
#include "shim/protocol/time.h"
#include "shim/runtime/options.h"
#include "shim/runtime/pause_runtime.h"
#include "shim/sandbox/pod_cgroup.h"
#include "ttrpc/blocking_client.h"
#include "ttrpc/socket.h"

namespace flox::shim {
namespace {

uint32_t init_pid(const fs::path& bundle) {
  const fs::path file = bundle / "init.pid";
  uint32_t pid = 0;  // the container was never made
  if (!fs::exists(file)) return pid;
  const std::string text = read_file(file);
  std::from_chars(text.data(), text.data() + text.size(), pid);
  return pid;
}

// Runs a step of the cleaning; what fails is told on stderr, which containerd logs, and the others go on.
template <typename Step>
void attempt(const char* what, Step step) {
  try {
    step();
  } catch (const std::exception& error) {
    std::string text = fmt::format("{}: {}\n", what, message_of(error));
    [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
  }
}

void delete_container(const CommandLine& line, const fs::path& bundle) {
  RuntimeOptions options = RuntimeOptions::load(bundle);
  const oci::Runtime runtime = options.runtime(line.namespace_name);
  const fs::path log = bundle / "log-delete.json";
  if (!fs::exists(runtime.settings().root / line.id)) return;  // the shim did it, as it should
  Outcome outcome = run({.argv = oci::with_log(runtime.remove(line.id, true), log), .cwd = bundle});
  if (outcome.exit_code != 0) fail(ErrorKind::internal, "{}", oci::last_error(log).value_or(outcome.err));
}

void release_environment(const std::string& id, const fs::path& bundle) {
  if (!fs::exists(bundle / "flox.lease")) return;
  node::v1::ReleaseRequest request;
  request.set_container_id(id);
  ttrpc::BlockingClient client(Imageless::default_socket());
  client.call(node::v1::Node::Release, request, std::chrono::milliseconds(1000));
}

// A shim that was killed could not take its socket away.
void remove_socket(const fs::path& bundle) {
  constexpr std::string_view scheme = "unix://";
  const fs::path file = bundle / "address";
  if (!fs::exists(file)) return;
  const std::string address = read_file(file);
  if (address.starts_with(scheme)) ttrpc::remove_if_stale(address.substr(scheme.size()));
}

}  // namespace

void delete_leftovers(const CommandLine& line) {
  fs::path bundle = line.bundle.empty() ? fs::current_path().parent_path() / line.id : fs::path(line.bundle);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what runc kills is ours to reap
  attempt("deleting the container", [&] { delete_container(line, bundle); });
  attempt("ending the pod's sandbox", [&] { PauseRuntime::remove_leftovers(bundle); });
  attempt("removing its shim's cgroup", [&] { PodCgroup::remove_leftovers(bundle); });
  attempt("taking away its /nix", [&] { detach_mutable_nix(bundle); });
  attempt("unmounting its root", [&] { oci::unmount_all(bundle / "rootfs"); });
  attempt("removing its shim's socket", [&] { remove_socket(bundle); });
  attempt("releasing its environment", [&] { release_environment(line.id, bundle); });
  wire::DeleteResponse response;
  response.set_pid(init_pid(bundle));
  response.set_exit_status(137);
  *response.mutable_exited_at() = timestamp_of(std::chrono::system_clock::now());
  write_all(STDOUT_FILENO, response.SerializeAsString());
}

}  // namespace flox::shim
