#include "node/installer/root_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

bool is_roots(const fs::path& process) {
  try {
    std::istringstream status(read_file(process / "status"));
    for (std::string line; std::getline(status, line);) {
      std::istringstream words(line);
      std::string name;
      long real = -1, effective = -1, saved = -1, file_system = -1;
      if (words >> name && name == "Uid:" && words >> real >> effective >> saved >> file_system)
        return real == 0 && effective == 0 && saved == 0 && file_system == 0;
    }
  } catch (const Error&) {
    // It has ended meanwhile.
  }
  return false;
}

}  // namespace

std::vector<pid_t> root_processes_of(const fs::path& program) {
  std::vector<pid_t> found;
  std::error_code error;
  const fs::path ours = fs::read_symlink("/proc/self/ns/mnt", error);
  const fs::path canonical = fs::canonical(program, error);
  if (error) return found;
  struct stat wanted = {};
  if (::stat(canonical.c_str(), &wanted) != 0) return found;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (!std::all_of(pid.begin(), pid.end(), [](unsigned char c) { return std::isdigit(c); })) continue;
    if (fs::read_symlink(entry.path() / "ns/mnt", error) != ours || error) continue;
    struct stat file = {};
    const fs::path executable = entry.path() / "exe";
    if (::stat(executable.c_str(), &file) != 0 || file.st_uid != 0 || (file.st_mode & 022U) != 0) continue;
    const bool same = file.st_dev == wanted.st_dev && file.st_ino == wanted.st_ino;
    const bool replaced = fs::read_symlink(executable, error) == canonical.string() + " (deleted)" && !error;
    if ((same || replaced) && is_roots(entry.path())) found.push_back(std::stoi(pid));
  }
  return found;
}

fs::path program_in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path candidate = fs::path(directory) / name;
    if (!directory.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace flox::node
