#include "shim/task/leased_environment.h"

#include <unistd.h>

#include "base/error.h"
#include "base/os/directory.h"
#include "imageless/annotations.h"
#include "shim/imageless/mutable_nix.h"
#include "shim/imageless/termination_message.h"
#include "shim/io/shim_log.h"

namespace flox::shim {

asio::awaitable<void> LeasedEnvironment::prepare(oci::RuntimeSpec& spec, CallTerms terms) {
  // Of ordinary containers, too: with a typo in flox.dev/environment a container would run without it. A
  // pod's sandbox bears its annotations as well, but an error of the sandbox is read by nobody who looks at
  // the container.
  if (imageless::is_sandbox(spec)) co_return;
  imageless::check_annotations(spec);
  const imageless::Images images{.image = image_of(spec), .volumes = imageless::image_volumes_of(spec)};
  const bool is_ours = images.image || imageless::is_imageless(spec);
  if (!is_ours && images.volumes.empty()) co_return;
  leased_ = true;
  termination_log_ = spec.mount_source(termination_log);
  Directory(bundle_).write_file(lease_file().filename().string(), id_, 0600);
  if (is_ours)
    activation_ = co_await imageless_.prepare(id_, spec, images, bundle_, std::move(terms));
  else
    co_await imageless_.prepare_volumes(id_, spec, images.volumes, std::move(terms));
  spec.save(bundle_ / "config.json");
}

std::optional<imageless::ImageMarker> LeasedEnvironment::image_of(const oci::RuntimeSpec& spec) const {
  if (imageless::is_skipped(spec)) return std::nullopt;
  auto marker = imageless::image_marker_in(bundle_ / spec.root_path());
  const std::string name = spec.annotation("io.kubernetes.cri.image-name");
  if (!marker && name.starts_with("flox.local/"))
    throw Error(ErrorKind::invalid_input,
                fmt::format("image {} is an environment, but its root does not say which", name),
                "Delete the image on this node (crictl rmi) and the pod: it is pulled again.");
  return marker;
}

void LeasedEnvironment::detach() const {
  if (!leased_) return;
  try {
    detach_mutable_nix(bundle_);
  } catch (const Error& error) {
    log_warning_of(id_, "taking away the /nix of {}: {}", id_, error.what());
  }
}

asio::awaitable<void> LeasedEnvironment::release(bool has_failed) {
  if (!leased_) co_return;
  const auto released = co_await imageless_.release(id_);
  if (!released) co_return;
  ::unlink(lease_file().c_str());
  if (released->unread().empty() || !has_failed || termination_log_.empty()) co_return;
  try {
    write_termination_message(termination_log_, released->unread());
  } catch (const Error& error) {
    log_warning_of(id_, "telling why {} could not read its files: {}", id_, error.what());
  }
}

}  // namespace flox::shim
