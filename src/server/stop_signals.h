// How flox-catalog ends: by the signals that a person, systemd or a kubelet sends.
#pragma once

#include <chrono>
#include <csignal>

#include "base/net/server/http_server.h"
#include "base/net/server/http_tls.h"

namespace flox::server {

class StopSignals {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP in this thread and those that it starts from now on.
  StopSignals();
  // Whether SIGTERM or SIGINT waits to be taken: what takes long before wait() looks now and then.
  bool is_stop_pending() const;
  // Until SIGTERM or SIGINT. SIGHUP reads the certificate again; so does its replacement, which is looked for
  // now and then: nobody sends signals into a pod. `tls` may be null.
  void wait(HttpTls* tls) const;
  // Serves for `delay`, then drains the server for `patience` at most. Another signal ends both at once.
  void end(HttpServer& server, std::chrono::seconds delay, std::chrono::seconds patience) const;

 private:
  // The signal; 0 if the time is over first.
  int next(std::chrono::milliseconds time) const;

  sigset_t signals_;
};

}  // namespace flox::server
