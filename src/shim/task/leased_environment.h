// The environment of an imageless container, from floxd's lease to giving it back. Of an ordinary container
// all of this is nothing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "shim/imageless/imageless.h"

namespace flox::shim {

class LeasedEnvironment {
 public:
  // `imageless` outlives the object.
  LeasedEnvironment(Imageless& imageless, std::string container_id, fs::path bundle)
      : imageless_(imageless), id_(std::move(container_id)), bundle_(std::move(bundle)) {}

  // If the container is imageless, asks floxd for the environment and edits and saves its spec. Throws Error:
  // floxd's, or what is wrong with the annotations. What was got until then is for detach() and release().
  asio::awaitable<void> prepare(oci::RuntimeSpec& spec, CallTerms terms);
  // What execs need to run inside the activation; nothing if they are to run outside.
  const std::optional<Activation>& activation() const noexcept { return activation_; }
  // Takes away what the container's /nix was bound from. Trouble goes to the log: `delete` tries again.
  void detach() const;
  // Gives the lease back. If the container has failed and floxd knows of files that could not be read, its
  // termination message says so, unless the container has left one (imageless/termination_message.h).
  asio::awaitable<void> release(bool has_failed);

 private:
  // The container's image, if that is an environment. Throws Error.
  std::optional<imageless::ImageMarker> image_of(const oci::RuntimeSpec& spec) const;
  // Stands as long as floxd may hold a lease: tells `delete` to give it back.
  fs::path lease_file() const { return bundle_ / "flox.lease"; }

  Imageless& imageless_;
  std::string id_;
  fs::path bundle_;
  bool leased_ = false;  // floxd may hold a lease
  std::optional<Activation> activation_;
  fs::path termination_log_;  // of the host; empty: there is none
};

}  // namespace flox::shim
