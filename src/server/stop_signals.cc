#include "server/stop_signals.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/log.h"

namespace flox::server {
namespace {

constexpr auto between_looks = std::chrono::seconds(5);  // at the certificate's files
constexpr auto between_signals = std::chrono::milliseconds(100);

template <typename Read>
void read_certificate(Read&& read) {
  try {
    if (read()) log::info("the TLS certificate and key were read again");
  } catch (const Error& error) {
    log::error("the old TLS certificate stays in use: {}. {}", error.what(), error.advice());
  }
}

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int StopSignals::next(std::chrono::milliseconds time) const {
  const timespec wanted{.tv_sec = time.count() / 1000, .tv_nsec = time.count() % 1000 * 1'000'000};
  return std::max(0, ::sigtimedwait(&signals_, nullptr, &wanted));
}

bool StopSignals::is_stop_pending() const {
  sigset_t pending;
  return sigpending(&pending) == 0 &&
         (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

void StopSignals::wait(HttpTls* tls) const {
  for (;;) {
    const int signal = next(between_looks);
    if (signal == SIGTERM || signal == SIGINT) return log::info("stopping: {}", strsignal(signal));
    if (tls == nullptr) continue;
    if (signal == SIGHUP)
      read_certificate([&] {
        tls->reload();
        return true;
      });
    else
      read_certificate([&] { return tls->reload_if_replaced(); });
  }
}

void StopSignals::end(HttpServer& server, std::chrono::seconds delay, std::chrono::seconds patience) const {
  using Clock = std::chrono::steady_clock;
  server.begin_drain();
  // True if it is to end at once.
  const auto is_urged = [&](std::chrono::milliseconds time) {
    const auto end = Clock::now() + time;
    for (auto left = time; left.count() >= 0;
         left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now())) {
      const int signal = next(left);
      if (signal == SIGTERM || signal == SIGINT) return true;
      if (signal == 0) return false;
    }
    return false;
  };
  if (delay.count() > 0) log::info("/readyz answers 503 from now on; listening for {} s more", delay.count());
  bool urged = delay.count() > 0 && is_urged(delay);
  size_t open = server.drain(std::chrono::milliseconds(0));
  if (open > 0 && !urged) log::info("{} connections have a request in progress", open);
  const auto end = Clock::now() + patience;
  while (open > 0 && !urged && Clock::now() < end) {
    open = server.drain(between_signals);
    urged = is_urged(std::chrono::milliseconds(0));
  }
  if (open > 0)
    log::warning("{} connections were cut off: {}", open,
                 urged ? "a second signal came"
                       : fmt::format("not answered within --stop-timeout ({} s)", patience.count()));
}

}  // namespace flox::server
