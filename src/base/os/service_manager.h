// What a service and systemd tell each other: sockets that systemd keeps open while the service is replaced
// (sd_listen_fds(3)), and when the service is ready (sd_notify(3)). Under other service managers all of it is
// nothing.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"

namespace flox {

// Listening sockets that this program was started with, by where they listen. Not thread-safe.
class InheritedSockets {
 public:
  // Takes the descriptors and removes their variables from the environment, so that no other program that we
  // start believes them its own; before there are threads. The descriptors are close-on-exec and non-blocking
  // then. None if the variables are for another process.
  static InheritedSockets take_all();

  // Gives away the one that listens there: a Unix socket's path, or "127.0.0.1:9809", "[::1]:9809". Empty if
  // there is none.
  Fd take(const std::string& place);
  // Where those listen that nobody has taken.
  std::vector<std::string> places() const;

 private:
  std::map<std::string, Fd> by_place_;
};

// Tells systemd the service's state, as "READY=1". Trouble is nothing: a service that systemd does not see
// ready it ends by its own rules.
void notify_service_manager(std::string_view state) noexcept;

}  // namespace flox
