#include "activation/keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <list>
#include <map>

#include "activation/keeper/descendants.h"
#include "activation/keeper/running_services.h"
#include "activation/keeper/starts.h"
#include "activation/shell.h"
#include "base/error.h"
#include "base/os/process.h"

namespace flox::activation {
namespace {

constexpr std::string_view keeper_job = "--flox-keep";
constexpr size_t max_connections = 256;

struct Connection {
  Fd fd;
  std::string in;
  std::string out;
};

// Descriptors to poll, and what is done when they are ready.
class PollSet {
 public:
  using Action = std::function<void()>;
  void add(int fd, short events, Action action) {
    entries_.push_back({fd, events, 0});
    actions_.push_back(std::move(action));
  }
  void wait(std::optional<Clock::time_point> deadline) {
    int timeout = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      timeout = static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
    }
    if (::poll(entries_.data(), entries_.size(), timeout) < 0 && errno != EINTR) fail_errno(errno, "waiting");
    for (size_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].revents != 0 && actions_[i]) actions_[i]();
  }

 private:
  std::vector<pollfd> entries_;
  std::vector<Action> actions_;
};

class Keeper {
 public:
  Keeper(Fd lock, Fd listener, Directory directory, fs::path logs)
      : lock_(std::move(lock)),
        listener_(std::move(listener)),
        directory_(std::move(directory)),
        logs_(std::move(logs)),
        starts_([this](ConnectionId to, const Answer& answer) { reply(to, answer); }),
        services_(logs_ / "services", [this](ConnectionId to, const Answer& answer) { reply(to, answer); }) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) fail_errno(errno, "watching for signals");
  }

  void run() {
    std::vector<Start> last;
    while (!stopping_) {
      step(true);
      std::vector<Start> unused = starts_.take_unused();
      if (starts_.all().empty() && Clock::now() >= begun_) {
        last = std::move(unused);
        break;
      }
      for (const Start& start : unused) begin_hook(start);
    }
    for (Start& start : starts_.take_all()) last.push_back(std::move(start));
    end(last);
  }

 private:
  // One wait, and what has come of it.
  void step(bool serving) {
    PollSet set;
    set.add(signals_.get(), POLLIN, [&] { take_signals(); });
    for (ServiceProcess& service : services_.all())
      set.add(service.output().read_end(), POLLIN, [&service] { service.output().drain(); });
    if (hook_output_) set.add(hook_output_->read_end(), POLLIN, [this] { hook_output_->drain(); });
    std::optional<Clock::time_point> deadline = services_.next_deadline();
    if (serving) {
      if (connections_.size() < max_connections) set.add(listener_.get(), POLLIN, [&] { accept(); });
      for (auto& [id, connection] : connections_)
        set.add(connection.fd.get(), static_cast<short>(POLLIN | (connection.out.empty() ? 0 : POLLOUT)),
                [this, id = id] { serve(id); });
      for (const Start& start : starts_.all())
        for (const Attachment& one : start.attachments) set.add(one.watch.get(), POLLIN, {});
      for (const auto other : {starts_.next_deadline(), std::optional(begun_)})
        if (other && (!deadline || *other < *deadline) && *other > Clock::now()) deadline = other;
    }
    set.wait(deadline);
    services_.advance();
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
      if (info.ssi_signo != SIGCHLD) stopping_ = true;
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (services_.ended(pid, exit_code_of(status))) continue;
      if (hooks_.erase(pid) == 0) continue;
      hook_output_->drain();
      if (exit_code_of(status) != 0)
        hook_output_->say(
            fmt::format("flox: hook.on-deactivate ended with exit code {}", exit_code_of(status)));
    }
  }

  void accept() {
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid()) return;
    connections_[++last_id_].fd = std::move(fd);
  }

  void serve(ConnectionId id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    bool open = true;
    try {
      open = flush(found->second) && receive(found->second);
      while (open) {
        std::optional<std::string> text = take_frame(found->second.in);
        if (!text) break;
        handle(id, parse_request(*text));
      }
    } catch (const Error&) {
      open = false;  // it does not speak our language
    }
    if (open) return;
    connections_.erase(id);
    starts_.disconnected(id);
  }

  static bool flush(Connection& connection) {
    while (!connection.out.empty()) {
      const ssize_t count = ::write(connection.fd.get(), connection.out.data(), connection.out.size());
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      connection.out.erase(0, static_cast<size_t>(count));
    }
    return true;
  }

  static bool receive(Connection& connection) {
    std::array<char, 64 << 10> buffer;
    for (;;) {
      const ssize_t count = ::read(connection.fd.get(), buffer.data(), buffer.size());
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      if (count == 0) return false;
      connection.in.append(buffer.data(), static_cast<size_t>(count));
      if (connection.in.size() > max_frame + 4) return false;
    }
  }

  void reply(ConnectionId to, Answer answer) {
    const auto found = connections_.find(to);
    if (found == connections_.end()) return;
    answer.keeper = ::getpid();
    found->second.out += framed(to_text(answer));
    flush(found->second);
  }

  void handle(ConnectionId from, const Request& request) {
    begun_ = std::min(begun_, Clock::now());
    switch (request.kind) {
      case Request::Kind::begin:
        return starts_.begin(from, request);
      case Request::Kind::ready:
        return starts_.ready(from, request);
      case Request::Kind::attach:
        return starts_.attach(from, request);
      case Request::Kind::detach:
        return starts_.detach(from, request);
      case Request::Kind::status:
        return services_.status(from);
      case Request::Kind::start:
        return services_.start(from, request);
      case Request::Kind::stop:
        return services_.stop(from, request);
      case Request::Kind::restart:
        return services_.restart(from, request);
    }
  }

  void begin_hook(const Start& start) {
    const fs::path hook = fs::path(start.key.profile) / "activate.d/hook-on-deactivate";
    try {
      if (!start.ready || !env::profile_has(start.key.profile, "activate.d/hook-on-deactivate")) return;
      if (!hook_output_) hook_output_ = std::make_unique<LoggedOutput>(logs_ / "hooks", "hook.on-deactivate");
      hooks_.insert(start_shell(". " + quoted(Shell::sh, hook.native()), start.environment, start.cwd,
                                hook_output_->write_end()));
    } catch (const Error& error) {
      if (hook_output_)
        hook_output_->say(fmt::format("flox: hook.on-deactivate cannot be run: {}", error.what()));
    }
  }

  // From here on a new activation starts a keeper of its own, once the lock is free.
  void end(const std::vector<Start>& last) {
    directory_.remove("socket");
    listener_.reset();
    connections_.clear();
    services_.stop_all();
    while (!services_.are_stopped()) step(false);
    for (ServiceProcess& service : services_.all()) service.output().drain();
    end_descendants(hooks_);
    lock_.reset();
    for (const Start& start : last) begin_hook(start);
    while (!hooks_.empty()) step(false);
    if (hook_output_) hook_output_->drain();
  }

  Fd lock_;
  Fd listener_;
  Directory directory_;
  fs::path logs_;
  Fd signals_;
  Starts starts_;
  RunningServices services_;
  std::map<ConnectionId, Connection> connections_;
  ConnectionId last_id_ = 0;
  std::unique_ptr<LoggedOutput> hook_output_;
  std::set<pid_t> hooks_;  // that run now
  bool stopping_ = false;
  // Whoever started it says something by then.
  Clock::time_point begun_ = Clock::now() + linger_limit;
};

std::optional<int> number_of(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::vector<std::string> keeper_words(int lock, int listener, int directory, const fs::path& logs) {
  return {"flox",
          std::string(keeper_job),
          std::to_string(lock),
          std::to_string(listener),
          std::to_string(directory),
          logs.string()};
}

std::optional<int> run_keeper_job(int argc, char** argv) {
  if (argc != 6 || argv[1] != keeper_job) return std::nullopt;
  const auto lock = number_of(argv[2]), listener = number_of(argv[3]), directory = number_of(argv[4]);
  if (!lock || !listener || !directory) return 1;
  for (const int fd : {*lock, *listener, *directory}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // Daemons of services become its children, and end with it.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  try {
    Keeper(Fd(*lock), Fd(*listener), Directory(Fd(*directory), "the keeper's directory"), argv[5]).run();
  } catch (const std::exception&) {
    return 1;  // nobody reads what it says; its services end with it
  }
  return 0;
}

}  // namespace flox::activation
