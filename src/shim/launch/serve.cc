#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdlib>

#include "base/error.h"
#include "base/foreign_error.h"
#include "shim/io/shim_log.h"
#include "shim/launch/commands.h"
#include "shim/sandbox/sandbox_service.h"
#include "shim/task/task_service.h"

namespace flox::shim {
namespace {

constexpr int listening_descriptor = 3;
constexpr Milliseconds flush_limit{5000};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

// The end of the server, asked for by containerd or by a signal.
class Shutdown {
 public:
  Shutdown(asio::io_context& context, Publisher& publisher, std::string socket)
      : context_(context), publisher_(publisher), socket_(std::move(socket)) {}

  void begin() {
    if (std::exchange(begun_, true)) return;
    // First, so that a `start` of the same pod makes a new shim rather than find one that ends.
    ::unlink(socket_.c_str());
    asio::co_spawn(
        context_, [this] { return finish(); }, asio::detached);
  }

 private:
  asio::awaitable<void> finish() {
    co_await publisher_.flush(flush_limit);
    co_await pause_for(Milliseconds(20));  // the answer to Shutdown is on its way
    context_.stop();
  }

  asio::io_context& context_;
  Publisher& publisher_;
  std::string socket_;
  bool begun_ = false;
};

}  // namespace

void serve_tasks(const CommandLine& line) {
  open_log(line.id, line.debug);
  Fd listening(listening_descriptor);
  if (::fcntl(listening.get(), F_SETFD, FD_CLOEXEC) != 0)
    throw Error(ErrorKind::invalid_input, "no listening socket was passed as descriptor 3",
                "Use the action start, as containerd does.");
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGUSR1, SIG_IGN);               // asks the stock shim for a dump of its threads
  ::prctl(PR_SET_NAME, "containerd-shim");  // we were executed as /proc/self/exe
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail_errno(errno, "becoming a subreaper");

  asio::io_context context(1);
  Children children(context.get_executor());
  Publisher publisher(context.get_executor(), environment("TTRPC_ADDRESS"), line.namespace_name);
  Imageless imageless(context.get_executor(), Imageless::default_socket());
  Shutdown shutdown(context, publisher, line.socket);
  IdleMemory idle_memory(context.get_executor());
  Sandbox sandbox(context.get_executor(), children);
  const TaskContext shared{context.get_executor(), children, publisher, imageless, idle_memory, sandbox,
                           line.namespace_name};
  TaskService service(shared, [&shutdown] { shutdown.begin(); });
  SandboxService sandbox_service(sandbox, idle_memory, [&service] { service.shut_down_if_idle(); });
  ttrpc::Server server(context.get_executor(), std::move(listening), {.same_user_only = true});
  service.serve(server);
  sandbox_service.serve(server);

  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&shutdown](boost::system::error_code error, int) {
    if (!error) shutdown.begin();
  });
  for (;;) {
    try {
      context.run();
      return;
    } catch (const std::exception& error) {
      log_warning("unexpected: {}", message_of(error));  // one request's trouble must not end the pod's shim
    }
  }
}

}  // namespace flox::shim
