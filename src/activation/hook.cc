#include "activation/hook.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "activation/user_shell.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/process.h"

extern char** environ;

namespace flox::activation {
namespace {

constexpr std::string_view job = "--flox-environment-to";
constexpr size_t max_environment = 16 << 20;  // bytes; a process can be given 2 MiB by default

// The shell's descriptors of this program and of the file for the environment. Only single digits can be
// closed for the hook in every shell: what it starts in the background does not keep them.
constexpr int program_fd = 8;
constexpr int result_fd = 9;

// Of these a shell keeps account for itself.
constexpr const char* of_the_shell[] = {"_", "SHLVL", "PWD", "OLDPWD"};

// Each entry ends with a NUL, and all of them with one more.
void write_environment(int fd) {
  std::string text;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (**entry != '\0') text.append(*entry, std::strlen(*entry) + 1);
  write_all(fd, text + '\0');
}

std::optional<env::Variables> read_environment(int fd) {
  if (::lseek(fd, 0, SEEK_SET) != 0) fail_errno(errno, "reading the hook's environment");
  std::string text(max_environment + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const size_t more = read_some(fd, text.data() + size, text.size() - size);
    if (more == 0) break;
    size += more;
  }
  if (size > max_environment)
    fail(ErrorKind::invalid_input, "hook.on-activate leaves an environment of more than {} bytes",
         max_environment);
  std::string_view rest = std::string_view(text).substr(0, size);
  if (!rest.ends_with('\0') || (size > 1 && !rest.ends_with(std::string_view("\0\0", 2))))
    return std::nullopt;
  env::Variables variables;
  for (rest.remove_suffix(1); !rest.empty();) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    if (const size_t equals = entry.find('='); equals != std::string_view::npos)
      variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

std::string text_for(const UserShell& shell, const fs::path& hook) {
  // The options that Flox takes off, in case the environment has SHELLOPTS.
  return fmt::format("set +eu{}; umask 077\n. {} 1>&2 {}>&- {}>&-\nset +eu\n/proc/self/fd/{} {} {}\n",
                     shell.kind == Shell::bash ? " +o pipefail" : "", quoted(Shell::sh, hook.native()),
                     program_fd, result_fd, program_fd, job, result_fd);
}

// In the child; nothing is allocated after fork().
[[noreturn]] void become(const char* shell, char* const* argv, char* const* environment, int program,
                         int result) {
  // Away from each other's places first.
  const int one = ::fcntl(program, F_DUPFD_CLOEXEC, result_fd + 1);
  const int other = ::fcntl(result, F_DUPFD_CLOEXEC, result_fd + 1);
  if (one >= 0 && other >= 0 && ::dup2(one, program_fd) >= 0 && ::dup2(other, result_fd) >= 0)
    ::execve(shell, argv, environment);
  ::_exit(127);
}

int run_shell(const fs::path& shell, const std::string& text, const env::Variables& environment, int program,
              int result) {
  std::vector<std::string> words = {shell.filename(), "-c", text}, entries = exec_entries(environment);
  const auto argv = exec_pointers(words), envp = exec_pointers(entries);
  const pid_t pid = ::fork();
  if (pid < 0) fail_errno(errno, "running hook.on-activate");
  if (pid == 0) become(shell.c_str(), argv.data(), envp.data(), program, result);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) fail_errno(errno, "waiting for hook.on-activate");
  return status;
}

[[noreturn]] void fail_unfinished(int status) {
  if (WIFSIGNALED(status))
    fail(ErrorKind::invalid_input, "running hook.on-activate: signal {} ({}) ended it", WTERMSIG(status),
         ::strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("running hook.on-activate: it ended its shell with exit code {}", WEXITSTATUS(status)),
        "A command failed under 'set -e', or 'exit' was called: what it printed says more. Use 'return' to "
        "end a hook early.");
  throw Error(ErrorKind::invalid_input, "running hook.on-activate: it did not complete normally",
              "Replace 'exit' by 'return', and run 'exec' in a subshell: '(exec COMMAND)'.");
}

}  // namespace

env::Variables run_hook(const fs::path& hook, const env::Variables& environment) {
  const UserShell shell = in_context("running hook.on-activate", [&] { return bash_or_sh(environment); });
  const Fd program = open_file("/proc/self/exe", O_RDONLY);
  const Fd result(::memfd_create("flox-environment", MFD_CLOEXEC));
  if (!result) fail_errno(errno, "running hook.on-activate: making a file in memory");
  const int status =
      run_shell(shell.program, text_for(shell, hook), environment, program.get(), result.get());
  std::optional<env::Variables> after = read_environment(result.get());
  if (!after) fail_unfinished(status);
  for (const char* name : of_the_shell) {
    after->erase(name);
    if (const auto before = environment.find(name); before != environment.end())
      after->emplace(name, before->second);
  }
  return std::move(*after);
}

std::optional<int> run_environment_job(int argc, char** argv) {
  if (argc != 3 || argv[1] != job) return std::nullopt;
  int fd = -1;
  const std::string_view number(argv[2]);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), fd);
  if (error != std::errc() || end != number.data() + number.size() || fd < 0) return 1;
  try {
    write_environment(fd);
  } catch (const Error& failure) {
    print_error(failure);
    return 1;
  }
  return 0;
}

}  // namespace flox::activation
