#include "package/build/build_command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::package {
namespace {

[[noreturn]] void become_command(const std::string& command, const CommandSetting& setting) {
  if (!setting.store_root.empty()) env::enter_store(setting.store_root);
  if (::chdir(setting.directory.c_str()) != 0) fail_errno(errno, "entering {}", setting.directory.string());
  std::vector<std::string> variables;
  for (const auto& [name, value] : setting.environment) variables.push_back(name + "=" + value);
  std::vector<char*> pointers;
  for (auto& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  // A command may set what it likes; by default its first failing step fails it.
  std::string text = command;
  std::string bash = "bash", errexit = "-e", option = "-c";
  char* argv[] = {bash.data(), errexit.data(), option.data(), text.data(), nullptr};
  auto path = setting.environment.find("PATH");
  // execvpe searches the PATH of the caller.
  ::setenv("PATH", path == setting.environment.end() ? "/usr/bin:/bin" : path->second.c_str(), 1);
  ::execvpe("bash", argv, pointers.data());
  fail_errno(errno, "starting bash");
}

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0)
      if (errno != EINTR) fail_errno(errno, "waiting for the command");
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

}  // namespace

int run_build_command(const std::string& command, const CommandSetting& setting, const fs::path& output) {
  Fd out = open_file(output.string(), O_WRONLY | O_CREAT | O_TRUNC);
  Fd null = open_file("/dev/null", O_RDONLY);
  Pipe trouble = make_pipe();  // carries the message of a child that could not become the command
  pid_t pid = ::fork();
  if (pid < 0) fail_errno(errno, "starting the command");
  if (pid == 0) {
    try {
      if (::dup2(null.get(), 0) < 0 || ::dup2(out.get(), 1) < 0 || ::dup2(out.get(), 2) < 0)
        fail_errno(errno, "redirecting");
      become_command(command, setting);
    } catch (const std::exception& error) {
      const std::string message = message_of(error);
      [[maybe_unused]] ssize_t ignored = ::write(trouble.write_end.get(), message.data(), message.size());
    }
    ::_exit(127);
  }
  Child child(pid);
  trouble.write_end.reset();
  std::string message = read_all(trouble.read_end.get());
  int code = child.wait();
  if (!message.empty()) fail(ErrorKind::internal, "starting the command: {}", message);
  return code;
}

}  // namespace flox::package
