#include "base/confined/confined.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <thread>

#include "base/confined/confined_frame.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/memory.h"

extern char** environ;

namespace flox {
namespace {

using confined::Frame;
using confined::Kind;
using confined::Socket;

constexpr const char* worker_argument = "--confined-worker";
constexpr int channel_fd = 3;
constexpr auto last_words = std::chrono::seconds(2);  // between a worker's result and its end

std::map<std::string, ConfinedJob, std::less<>>& jobs() {
  static std::map<std::string, ConfinedJob, std::less<>> table;
  return table;
}
std::atomic<bool> can_start_itself = false;

// What a client of HTTP over TLS goes by; everything else of the environment stays with the starter.
constexpr std::string_view inherited[] = {"HOME",           "TZ",
                                          "FLOX_LOG",       "FLOX_LOG_FORMAT",
                                          "NETRC",          "NIX_SSL_CERT_FILE",
                                          "SSL_CERT_FILE",  "SSL_CERT_DIR",
                                          "CURL_CA_BUNDLE", "http_proxy",
                                          "https_proxy",    "HTTPS_PROXY",
                                          "all_proxy",      "ALL_PROXY",
                                          "no_proxy",       "NO_PROXY",
                                          "LD_LIBRARY_PATH"};

bool is_inherited(std::string_view name, const std::vector<std::string>& more) {
  if (std::find(std::begin(inherited), std::end(inherited), name) != std::end(inherited)) return true;
  for (const std::string& entry : more)
    if (entry.ends_with('*') ? name.starts_with(std::string_view(entry).substr(0, entry.size() - 1))
                             : name == entry)
      return true;
  return false;
}

// The sandbox in a frame: texts that end with NUL, in a fixed order.
std::string pack_start(const ConfinedRequest& request) {
  const Sandbox& sandbox = request.sandbox;
  std::string text;
  auto put = [&](std::string_view part) { text.append(part).push_back('\0'); };
  put(request.job);
  put(request.policy == IsolationPolicy::required ? "required" : "best-effort");
  for (const uint64_t number : {sandbox.memory, sandbox.file_size, uint64_t{sandbox.open_files}})
    put(std::to_string(number));
  put(std::to_string(sandbox.writable.size()));
  for (const auto& path : sandbox.writable) put(path.string());
  put(std::to_string(sandbox.readable.size()));
  for (const auto& path : sandbox.readable) put(path.string());
  put(std::to_string(sandbox.ports.size()));
  for (const uint16_t port : sandbox.ports) put(std::to_string(port));
  return text + request.text;
}

ConfinedRequest unpack_start(std::string_view text) {
  auto take = [&] {
    const size_t end = text.find('\0');
    if (end == std::string_view::npos) fail(ErrorKind::internal, "the request is cut off");
    const std::string part(text.substr(0, end));
    text.remove_prefix(end + 1);
    return part;
  };
  ConfinedRequest request;
  request.job = take();
  request.policy = take() == "required" ? IsolationPolicy::required : IsolationPolicy::best_effort;
  request.sandbox.memory = std::stoull(take());
  request.sandbox.file_size = std::stoull(take());
  request.sandbox.open_files = static_cast<unsigned>(std::stoul(take()));
  for (size_t left = std::stoul(take()); left > 0; --left) request.sandbox.writable.emplace_back(take());
  for (size_t left = std::stoul(take()); left > 0; --left) request.sandbox.readable.emplace_back(take());
  for (size_t left = std::stoul(take()); left > 0; --left)
    request.sandbox.ports.push_back(static_cast<uint16_t>(std::stoul(take())));
  request.text = text;
  return request;
}

// The worker's end, in its process or, unconfined, on a thread.
class Channel : public ConfinedChannel {
 public:
  Channel(Socket& socket, const ConfinedRequest& request, bool is_process)
      : socket_(socket), request_(request), is_process_(is_process) {}
  std::string call(std::string_view message) override {
    Waiting own;
    uint32_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (ended_) gone();
      number = ++last_;
      waiting_.emplace(number, &own);
    }
    try {
      socket_.send(Kind::call, number, message);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      waiting_.erase(number);
      throw;
    }
    std::unique_lock lock(mutex_);
    // Whoever waits and finds nobody reading reads, for the others too, until its own answer is there.
    while (!own.answer) {
      if (someone_reads_) {
        own.changed.wait(lock, [&] { return own.answer || !someone_reads_; });
        continue;
      }
      someone_reads_ = true;
      lock.unlock();
      std::optional<Frame> frame;
      try {
        frame = socket_.receive(confined::answer_limit);
      } catch (const Error&) {  // as good as gone
      }
      lock.lock();
      someone_reads_ = false;
      frame ? deliver(std::move(*frame)) : end();
    }
    if (!someone_reads_ && !waiting_.empty()) waiting_.begin()->second->changed.notify_one();
    lock.unlock();
    if (own.answer->kind == Kind::answer) return std::move(own.answer->text);
    throw confined::unpack_error(own.answer->text);
  }
  void note(std::string_view message) override { socket_.send(Kind::note, 0, message); }

  void confine() override {
    if (!is_process_) return;
    silence();
    const Isolation isolation = enter_sandbox(request_.sandbox);
    if (request_.policy == IsolationPolicy::required && !isolation.complete())
      fail(ErrorKind::unavailable, "the kernel cannot isolate it: there is {}", isolation.to_string());
  }

 private:
  // From here on nothing of it goes to the starter's log, nor is read from a terminal: who has taken it over
  // would write lines there that look like the starter's, and as many as the disk holds.
  static void silence() {
    const Fd nothing = open_file("/dev/null", O_RDWR);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
      if (::dup2(nothing.get(), fd) < 0) fail_errno(errno, "closing the standard output");
  }
  [[noreturn]] static void gone() { fail(ErrorKind::unavailable, "the process that asked has ended"); }
  // All with mutex_ held.
  void deliver(Frame frame) {
    auto found = waiting_.extract(frame.number);
    if (found.empty()) return;
    found.mapped()->answer = std::move(frame);
    found.mapped()->changed.notify_one();
  }
  void end() {
    if (is_process_) ::_exit(1);  // nobody wants the result
    ended_ = true;
    const Error gone(ErrorKind::unavailable, "the process that asked has ended");
    for (auto& [number, waiting] : std::exchange(waiting_, {})) {
      waiting->answer = Frame{.kind = Kind::refusal, .number = number, .text = confined::pack(gone)};
      waiting->changed.notify_one();
    }
  }

  // A thread in call().
  struct Waiting {
    std::condition_variable changed;
    std::optional<Frame> answer;
  };

  Socket& socket_;
  const ConfinedRequest& request_;
  bool is_process_;
  std::mutex mutex_;
  bool ended_ = false;
  bool someone_reads_ = false;
  uint32_t last_ = 0;
  std::map<uint32_t, Waiting*> waiting_;
};

// Does the job that comes over the socket and sends its result.
void work(Socket& socket, bool is_process) {
  const auto start = socket.receive(confined::answer_limit);
  if (!start || start->kind != Kind::start) return;
  try {
    const ConfinedRequest request = unpack_start(start->text);
    const auto job = jobs().find(request.job);
    if (job == jobs().end()) fail(ErrorKind::internal, "there is no job '{}'", request.job);
    Channel channel(socket, request, is_process);
    socket.send(Kind::done, 0, job->second(request.text, channel));
  } catch (const std::exception& error) {
    socket.send(Kind::failed, 0, confined::pack(confined::error_of_job(error)));
  }
  if (is_process) ::_exit(0);  // its threads and memory go with it
}

std::string ending(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("the fetcher died of signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("the fetcher ended with exit code {}, before its work was done", WEXITSTATUS(status));
}

}  // namespace

void add_confined_job(std::string_view name, ConfinedJob job) {
  jobs().insert_or_assign(std::string(name), std::move(job));
}

bool has_confined_processes() noexcept { return can_start_itself && ::access("/proc/self/exe", X_OK) == 0; }

std::optional<int> run_confined_job(int argc, char** argv) {
  can_start_itself = true;
  if (argc != 3 || std::strcmp(argv[1], worker_argument) != 0) return std::nullopt;
  // Its starter may have ended since: then nobody would kill it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (std::to_string(::getppid()) != argv[2]) return 1;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_NAME, "flox-fetcher", 0, 0, 0);
  keep_freed_memory();
  try {
    Socket socket{Fd(channel_fd)};
    work(socket, true);
  } catch (const std::exception& error) {
    print_error(error);
    return 1;
  }
  return 0;
}

struct ConfinedWorker::State {
  std::optional<Socket> socket;
  pid_t pid = -1;
  int status = 0;
  bool reaped = false;
  std::thread thread;  // instead of a process
  std::optional<Socket> other_end;

  void reap() {
    if (pid <= 0 || std::exchange(reaped, true)) return;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
};

ConfinedWorker::ConfinedWorker(const std::vector<std::string>& variables)
    : state_(std::make_unique<State>()) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    fail_errno(errno, "making a channel to the fetcher");
  state_->socket.emplace(Fd(ends[0]));
  Fd other(ends[1]);
  if (!has_confined_processes()) {
    state_->other_end.emplace(std::move(other));
    state_->thread = std::thread([state = state_.get()] {
      try {
        work(*state->other_end, false);
      } catch (const std::exception&) {  // the starter has ended the talk
      }
      state->other_end->shut_down();
    });
    return;
  }
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (is_inherited(text.substr(0, text.find('=')), variables)) environment.push_back(*entry);
  }
  environment.push_back(nullptr);
  std::string name = "flox-fetcher", argument = worker_argument, parent = std::to_string(::getpid());
  char* arguments[] = {name.data(), argument.data(), parent.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);  // its output is nobody's
  posix_spawn_file_actions_adddup2(&actions, other.get(), channel_fd);
  posix_spawn_file_actions_addclosefrom_np(&actions, channel_fd + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error =
      ::posix_spawn(&state_->pid, "/proc/self/exe", &actions, &attributes, arguments, environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    state_->pid = -1;
    fail_errno(error, "starting the fetcher");
  }
}

ConfinedWorker::~ConfinedWorker() {
  cancel();
  state_->reap();
  if (state_->thread.joinable()) state_->thread.join();
}

void ConfinedWorker::cancel() noexcept {
  if (state_->pid > 0 && !state_->reaped) ::kill(state_->pid, SIGKILL);
  state_->socket->shut_down();
}

bool ConfinedWorker::alive() const noexcept {
  char byte = 0;
  return ::recv(state_->socket->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

pid_t ConfinedWorker::pid() const noexcept { return state_->pid; }

std::string ConfinedWorker::serve(const ConfinedRequest& request) {
  if (request.policy == IsolationPolicy::required && !has_confined_processes())
    fail(ErrorKind::unavailable, "this program cannot start a process to fetch in (is /proc mounted?)");
  Socket& socket = *state_->socket;
  const auto deadline = std::chrono::steady_clock::now() + request.deadline;
  std::mutex reading;
  std::optional<std::string> result;
  std::optional<Error> failure;
  bool over = false;

  auto finish = [&] {  // with `reading` held
    if (!std::exchange(over, true) && request.on_end) request.on_end();
  };
  auto finish_badly = [&](const Error& error) {
    if (!failure) failure.emplace(error);
    finish();
  };
  auto serve_calls = [&] {
    for (;;) {
      std::optional<Frame> frame;
      {
        const std::lock_guard lock(reading);
        if (over) return;
        try {
          frame = socket.receive(confined::frame_limit, deadline);
          if (!frame) return finish();
          if (frame->kind == Kind::done) {
            result = std::move(frame->text);
            return finish();
          }
          if (frame->kind == Kind::failed) return finish_badly(confined::unpack_error(frame->text));
          if (frame->kind != Kind::call && frame->kind != Kind::note)
            fail(ErrorKind::invalid_input, "a message of kind {} is not for a worker",
                 static_cast<int>(frame->kind));
        } catch (const Error& error) {
          return finish_badly(error.with_context("the fetcher"));
        }
        // Notes are told in their order.
        if (frame->kind == Kind::note) {
          try {
            if (request.on_note) request.on_note(frame->text);
          } catch (const Error& error) {
            return finish_badly(error);
          }
          continue;
        }
      }
      try {
        std::string answer = request.on_call ? request.on_call(frame->text) : std::string();
        socket.send(Kind::answer, frame->number, answer, deadline);
      } catch (const std::exception& error) {
        try {
          socket.send(Kind::refusal, frame->number, confined::pack(to_error(error)), deadline);
        } catch (const Error&) {  // it has ended: who reads finds out
        }
      }
    }
  };

  try {
    socket.send(Kind::start, 0, pack_start(request), deadline);
  } catch (const Error&) {  // it died before
    over = true;
  }
  {
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < request.handlers && !over; ++i) others.emplace_back(serve_calls);
    serve_calls();
    if (failure || !result) {
      if (failure && state_->pid > 0) ::kill(state_->pid, SIGKILL);
      socket.shut_down();
    }
  }
  if (state_->pid > 0) {
    ::kill(state_->pid, result || failure ? SIGKILL : 0);  // whatever it still does is not wanted
    if (!result && !failure) {
      // Its end of the socket is closed: it is ending, or pretends to.
      const auto limit = std::chrono::steady_clock::now() + last_words;
      while (::waitpid(state_->pid, &state_->status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > limit) ::kill(state_->pid, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      state_->reaped = true;
    }
    state_->reap();
  } else if (state_->thread.joinable()) {
    socket.shut_down();
    state_->thread.join();
  }
  if (failure) throw Error(*failure);
  if (result) return std::move(*result);
  if (state_->pid > 0)
    throw Error(ErrorKind::unavailable, ending(state_->status),
                "Try again. If it happens again, a cache sends what breaks the program: please report it.");
  fail(ErrorKind::unavailable, "the fetcher ended before its work was done");
}

std::string run_confined(const ConfinedRequest& request, const std::vector<std::string>& variables) {
  ConfinedWorker worker(variables);
  return worker.serve(request);
}

}  // namespace flox
