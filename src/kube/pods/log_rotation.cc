#include "kube/pods/log_rotation.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

#include "base/error.h"
#include "base/os/directory.h"

namespace flox::kube {
namespace {

// "0.log.20261129-120000"; with a number behind it if there is one already.
std::string rotated_name(const Directory& directory, const std::string& name,
                         std::chrono::system_clock::time_point now) {
  const std::string wanted =
      fmt::format("{}.{:%Y%m%d-%H%M%S}", name, fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
  std::string free = wanted;
  for (unsigned number = 1; directory.exists(free); ++number) free = fmt::format("{}.{:03}", wanted, number);
  return free;
}

void remove_oldest(const Directory& directory, const std::string& name, size_t kept) {
  std::vector<std::string> rotated;
  for (std::string& other : directory.names())
    if (other.starts_with(name + ".")) rotated.push_back(std::move(other));
  for (size_t i = 0; i + kept < rotated.size(); ++i) directory.remove(rotated[i]);
}

}  // namespace

void rotate_log(const std::filesystem::path& path, const std::string& name, const LogLimits& limits,
                std::chrono::system_clock::time_point now, const std::function<void()>& reopen) {
  const Directory directory(path);
  const auto status = directory.status(name);
  if (!status || !S_ISREG(status->st_mode) || static_cast<uint64_t>(status->st_size) < limits.bytes) return;
  in_context(fmt::format("rotating the log {}", (path / name).string()), [&] {
    const std::string away = rotated_name(directory, name, now);
    directory.rename(name, directory, away);
    try {
      reopen();
    } catch (const Error&) {
      if (!directory.exists(name)) directory.rename(away, directory, name);
      throw;
    }
    remove_oldest(directory, name, limits.files - 1);
  });
}

void remove_old_logs(const std::filesystem::path& path, unsigned attempt) {
  const Directory directory(path);
  for (const std::string& name : directory.names()) {
    unsigned number = 0;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() && std::string_view(rest, end).starts_with(".log") && number + 1 < attempt)
      directory.remove(name);
  }
}

void rotate_own_log(const std::filesystem::path& file, uint64_t bytes) {
  struct stat own {};
  if (::fstat(STDERR_FILENO, &own) != 0 || !S_ISREG(own.st_mode) ||
      static_cast<uint64_t>(own.st_size) < bytes)
    return;
  const Directory directory(file.parent_path());
  const std::string name = file.filename();
  const auto named = directory.status(name);
  if (!named || named->st_ino != own.st_ino || named->st_dev != own.st_dev) return;
  directory.rename(name, directory, name + ".1");
  const Fd fresh = directory.open(name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO})
    if (::dup2(fresh.get(), stream) < 0) fail_errno(errno, "opening the log {} anew", file.string());
}

}  // namespace flox::kube
