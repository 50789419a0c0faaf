#include "base/os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

extern char** environ;

namespace flox {
namespace {

constexpr const char* secret_variables[] = {"FLOX_CATALOG_TOKEN"};

// write(2) to a pipe whose reader may have gone: EPIPE, and no signal, whatever the program does with that
// one.
ssize_t write_to_pipe(int fd, std::string_view data) {
  sigset_t pipe, before, pending;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ::sigpending(&pending);
  const ssize_t written = ::write(fd, data.data(), data.size());
  const int error = errno;
  if (written < 0 && error == EPIPE && !::sigismember(&pending, SIGPIPE)) {
    const timespec now{};
    ::sigtimedwait(&pipe, nullptr, &now);  // takes the one that this thread has just got
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
  std::map<std::string, std::string> variables = environment_for_children();
  for (const auto& [name, value] : extra) variables[name] = value;
  return exec_entries(variables);
}

}  // namespace

std::vector<char*> exec_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> exec_entries(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> entries;
  for (const auto& [name, value] : variables) entries.push_back(name + "=" + value);
  return entries;
}

int exit_code_of(int status) noexcept {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool is_secret_variable(std::string_view name) noexcept {
  return std::ranges::find(secret_variables, name) != std::end(secret_variables);
}

std::map<std::string, std::string> environment_for_children() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || is_secret_variable(text.substr(0, equals))) continue;
    result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

void forget_secret_variables() noexcept {
  for (const char* name : secret_variables) ::unsetenv(name);
}

Process::Process(const Command& command, Stdio stdio) {
  if (command.argv.empty()) fail(ErrorKind::internal, "running a command: no program given");
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> env = environment_with(command.env);
  auto argv_pointers = exec_pointers(argv);
  auto env_pointers = exec_pointers(env);
  Fd null = open_file("/dev/null", O_RDWR);
  Pipe report = make_pipe();  // carries the errno of a failed exec; closed by a good one

  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail_errno(errno, "starting {}", argv[0]);
  if (pid_ == 0) {
    int in = stdio.in >= 0 ? stdio.in : null.get();
    bool ok = ::dup2(in, 0) >= 0;
    if (stdio.out >= 0) ok = ok && ::dup2(stdio.out, 1) >= 0;
    if (stdio.err >= 0) ok = ok && ::dup2(stdio.err, 2) >= 0;
    if (ok && command.is_ours_alone)
      ok = ::setpgid(0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && ::getppid() == parent;
    if (ok && command.has_own_session) ok = ::setsid() >= 0;
    if (ok && !command.cwd.empty()) ok = ::chdir(command.cwd.c_str()) == 0;
    if (ok) ::execvpe(argv_pointers[0], argv_pointers.data(), env_pointers.data());
    int error = errno;
    [[maybe_unused]] ssize_t ignored = ::write(report.write_end.get(), &error, sizeof error);
    ::_exit(127);
  }
  report.write_end.reset();
  int error = 0;
  if (::read(report.read_end.get(), &error, sizeof error) == sizeof error) {
    wait();
    fail_errno(error, "starting {}", argv[0]);
  }
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill(SIGKILL);
  wait();
}

void Process::kill(int signal) noexcept {
  if (pid_ > 0) ::kill(pid_, signal);
}

int Process::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) fail_errno(errno, "waiting for process {}", pid_);
  pid_ = -1;
  return exit_code_of(status);
}

std::optional<int> Process::wait_for(std::chrono::milliseconds limit) {
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd) fail_errno(errno, "watching process {}", pid_);
  pollfd entry{pidfd.get(), POLLIN, 0};
  if (::poll(&entry, 1, static_cast<int>(limit.count())) <= 0) return std::nullopt;
  return wait();
}

Outcome run(const Command& command) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  Process child(command, {.in = command.input.empty() ? -1 : in.read_end.get(),
                          .out = out.write_end.get(),
                          .err = err.write_end.get()});
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();
  if (command.input.empty())
    in.write_end.reset();
  else
    ::fcntl(in.write_end.get(), F_SETFL, O_NONBLOCK);

  Outcome outcome;
  std::string_view input = command.input;
  while (out.read_end || err.read_end || in.write_end) {
    std::array<pollfd, 3> entries{pollfd{out.read_end.get(), POLLIN, 0},
                                  pollfd{err.read_end.get(), POLLIN, 0},
                                  pollfd{in.write_end.get(), POLLOUT, 0}};
    if (::poll(entries.data(), entries.size(), -1) < 0) {
      if (errno == EINTR) continue;
      fail_errno(errno, "reading the output of {}", command.argv[0]);
    }
    auto drain = [](const pollfd& entry, Fd& fd, std::string& into) {
      if (!fd || entry.revents == 0) return;
      std::array<char, 65536> buffer;
      size_t got = read_some(fd.get(), buffer.data(), buffer.size());
      if (got == 0) fd.reset();
      into.append(buffer.data(), got);
    };
    drain(entries[0], out.read_end, outcome.out);
    drain(entries[1], err.read_end, outcome.err);
    if (in.write_end && entries[2].revents != 0) {
      const ssize_t written = write_to_pipe(in.write_end.get(), input);
      if (written > 0) input.remove_prefix(static_cast<size_t>(written));
      if (input.empty() || (written < 0 && errno != EAGAIN && errno != EINTR)) in.write_end.reset();
    }
  }
  outcome.exit_code = child.wait();
  return outcome;
}

std::string run_checked(const Command& command) {
  Outcome outcome = run(command);
  if (outcome.exit_code == 0) return std::move(outcome.out);
  std::string_view tail = outcome.err;
  while (!tail.empty() && tail.back() == '\n') tail.remove_suffix(1);
  if (tail.size() > 2000) tail.remove_prefix(tail.size() - 2000);
  fail(ErrorKind::internal, "running {}: exit code {}{}{}", fmt::join(command.argv, " "), outcome.exit_code,
       tail.empty() ? "" : ": ", tail);
}

}  // namespace flox
