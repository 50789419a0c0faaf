#include "shim/process/children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"

extern char** environ;

namespace flox::shim {
namespace {

constexpr size_t capture_limit = 1U << 20;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> own_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!std::string_view(*entry).starts_with("NOTIFY_SOCKET=")) result.emplace_back(*entry);
  return result;
}

// Moves `descriptors` to 0, 1, 2, … in a child after fork. All are first copied above the range, since the
// source of one may be the target of another.
bool arrange_descriptors(const std::vector<int>& descriptors) {
  std::array<int, 16> copies{};
  if (descriptors.size() > copies.size()) return false;
  for (size_t i = 0; i < descriptors.size(); ++i) {
    copies[i] = ::fcntl(descriptors[i], F_DUPFD_CLOEXEC, 64);
    if (copies[i] < 0) return false;
  }
  for (size_t i = 0; i < descriptors.size(); ++i)
    if (::dup2(copies[i], static_cast<int>(i)) < 0) return false;
  return true;
}

// In a child that still shares our memory (vfork): only system calls, and nothing changed but `error`.
[[noreturn]] void become(const Spawn& what, const std::vector<int>& descriptors, char** argv, char** env,
                         pid_t parent, int& error) {
  bool ok = arrange_descriptors(descriptors);
  if (ok && what.die_with_us) {
    ok = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    if (::getppid() != parent) ::_exit(127);  // the shim died in between
  }
  ::signal(SIGPIPE, SIG_DFL);  // ignored by us, and exec keeps that
  if (ok && !what.cwd.empty()) ok = ::chdir(what.cwd.c_str()) == 0;
  if (ok) ::execvpe(argv[0], argv, env);
  error = errno;
  ::_exit(127);
}

// The child borrows our memory until it executes its program: a fork, whose page tables are copied and then
// copied on write, took 0.3 ms more. Not inlined, so that the child touches no frame but this one's callees.
[[gnu::noinline]] pid_t start_child(const Spawn& what, const std::vector<int>& descriptors, char** argv,
                                    char** env, int& error) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::vfork();
  if (pid == 0) become(what, descriptors, argv, env, parent, error);
  return pid;
}

asio::awaitable<void> collect(std::shared_ptr<asio::posix::stream_descriptor> from,
                              std::shared_ptr<std::string> into, std::shared_ptr<Event> done) {
  std::array<char, 4096> buffer;
  boost::system::error_code error;
  for (;;) {
    size_t got = co_await from->async_read_some(asio::buffer(buffer),
                                                asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    into->append(buffer.data(), std::min(got, capture_limit - into->size()));
  }
  done->set();
}

void end(Exit& exit, int status, WallTime at) {
  exit.status = status;
  exit.at = at;
  if (exit.on_end) std::exchange(exit.on_end, nullptr)();
  exit.happened.set();
}

asio::awaitable<void> feed(std::shared_ptr<asio::posix::stream_descriptor> into, std::string input) {
  boost::system::error_code ignored;  // the child need not read it all
  co_await asio::async_write(*into, asio::buffer(input), asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

Children::Children(const Executor& executor) : executor_(executor), signals_(executor, SIGCHLD) {
  wait_for_signal();
}

void Children::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    reap();
    wait_for_signal();
  });
}

void Children::reap() {
  for (;;) {
    int status = 0;
    pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    auto now = std::chrono::system_clock::now();
    if (auto found = known_.find(pid); found != known_.end()) {
      auto exit = std::move(found->second);
      known_.erase(found);
      end(*exit, code, now);
    } else if (recorders_ > 0) {
      early_[pid] = {code, now};
    }
  }
}

pid_t Children::spawn(const Spawn& what, std::shared_ptr<Exit>& exit) {
  const std::vector<std::string> environment = what.env.empty() ? own_environment() : what.env;
  auto argv = pointers(what.argv);
  auto env = pointers(environment);
  Fd null = open_file("/dev/null", O_RDWR);
  std::vector<int> descriptors{what.in, what.out, what.err};
  for (int& fd : descriptors)
    if (fd < 0) fd = null.get();
  descriptors.insert(descriptors.end(), what.further.begin(), what.further.end());

  int error = 0;
  const pid_t pid = start_child(what, descriptors, argv.data(), env.data(), error);
  if (pid < 0) fail_errno(errno, "starting {}", what.argv[0]);
  if (error != 0) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    const char* reason = error == ENOENT && what.argv[0].find('/') == std::string::npos
                             ? "executable file not found in $PATH"
                             : std::strerror(error);
    fail(ErrorKind::internal, "exec: \"{}\": {}", what.argv[0], reason);
  }
  exit = std::make_shared<Exit>(executor_);
  known_[pid] = exit;
  return pid;
}

asio::awaitable<int> Children::run(Spawn what) {
  std::shared_ptr<Exit> exit;
  const pid_t pid = spawn(what, exit);
  co_await wait_for_end(exit, pid, what.argv[0], what.limit);
  co_return exit->status;
}

asio::awaitable<void> Children::wait_for_end(std::shared_ptr<Exit> exit, pid_t pid, const std::string& name,
                                             Milliseconds limit) {
  const bool ended = co_await exit->happened.wait_for(limit);
  if (ended) co_return;
  ::kill(pid, SIGKILL);  // not reaped yet: the pid is the child's
  co_await exit->happened.wait();
  fail(ErrorKind::unavailable, "{} did not end within {} s and was killed", name, limit.count() / 1000);
}

asio::awaitable<Captured> Children::capture(Spawn what, std::string input) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  if (!input.empty()) what.in = in.read_end.get();
  what.out = out.write_end.get();
  what.err = err.write_end.get();
  std::shared_ptr<Exit> exit;
  const pid_t pid = spawn(what, exit);
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();

  auto descriptor = [this](Fd& fd) {
    return std::make_shared<asio::posix::stream_descriptor>(executor_, fd.release());
  };
  auto out_text = std::make_shared<std::string>();
  auto err_text = std::make_shared<std::string>();
  auto out_done = std::make_shared<Event>(executor_);
  auto err_done = std::make_shared<Event>(executor_);
  auto out_source = descriptor(out.read_end);
  auto err_source = descriptor(err.read_end);
  asio::co_spawn(executor_, collect(out_source, out_text, out_done), asio::detached);
  asio::co_spawn(executor_, collect(err_source, err_text, err_done), asio::detached);
  if (!input.empty())
    asio::co_spawn(executor_, feed(descriptor(in.write_end), std::move(input)), asio::detached);
  co_await wait_for_end(exit, pid, what.argv[0], what.limit);
  // A grandchild may have kept the pipes; what the command itself wrote is there by now.
  co_await out_done->wait_for(Milliseconds(1000));
  co_await err_done->wait_for(Milliseconds(1000));
  boost::system::error_code ignored;
  out_source->close(ignored);
  err_source->close(ignored);
  Captured result{exit->status, std::move(*out_text), std::move(*err_text)};
  co_return result;
}

std::shared_ptr<Exit> Children::adopt(pid_t pid, std::function<void()> on_end) {
  reap();
  auto exit = std::make_shared<Exit>(executor_);
  exit->on_end = std::move(on_end);
  siginfo_t info{};
  // Still our child, dead or alive: the reaper has it in hand. Otherwise it was reaped already.
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    known_[pid] = exit;
    return exit;
  }
  auto early = early_.find(pid);
  const EarlyExit how =
      early == early_.end() ? EarlyExit{255, std::chrono::system_clock::now()} : early->second;
  if (early != early_.end()) early_.erase(early);
  end(*exit, how.status, how.at);
  return exit;
}

}  // namespace flox::shim
