#include "shim/imageless/termination_message.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::shim {

void write_termination_message(const std::filesystem::path& file, std::string_view unread) {
  constexpr size_t most = 4096;  // bytes
  const Fd opened(::open(file.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!opened) fail_errno(errno, "opening {}", file.string());
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) fail_errno(errno, "looking at {}", file.string());
  // The kubelet lets everybody write the file that it makes. One that not everybody may write is another,
  // which a pod has mounted there, and nobody's to write for it.
  constexpr mode_t everybody = S_IWUSR | S_IWGRP | S_IWOTH;
  if (!S_ISREG(status.st_mode) || status.st_size != 0 || (status.st_mode & everybody) != everybody) return;
  const std::string text =
      fmt::format("flox: files of the environment could not be read: {}", unread).substr(0, most);
  if (::write(opened.get(), text.data(), text.size()) < 0) fail_errno(errno, "writing {}", file.string());
}

}  // namespace flox::shim
