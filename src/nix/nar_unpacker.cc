#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "nix/nar.h"
#include "nix/nar_parser.h"

namespace flox::nix {
namespace {

constexpr timespec canonical_times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 0}};

bool has_mode(int fd, mode_t mode) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && (status.st_mode & 07777) == mode;
}

}  // namespace

// What the parser tells becomes files, below the descriptor of the innermost open directory.
struct NarUnpacker::State : NarHandler {
  // Whether files and directories can be created with their final modes: nothing in the way (umask, default
  // ACL), and we may write into directories that nobody may write (root). Saves a system call for each. Found
  // out by looking at the first of each.
  enum class Modes { unknown, right, wrong, later };
  Modes file_modes = Modes::unknown;
  Modes directory_modes = ::geteuid() == 0 ? Modes::unknown : Modes::wrong;

  NarParser parser{*this};
  Fd base;           // the directory that holds the destination
  std::string here;  // name of the node that is being read, in the innermost open directory
  std::vector<Fd> directories;
  Fd file;

  State(const std::filesystem::path& destination, SetModes set_modes) : here(destination.filename()) {
    if (set_modes == SetModes::later) file_modes = directory_modes = Modes::later;
    base = open_file(directory_of(destination), O_RDONLY | O_DIRECTORY);
    if (here.empty())
      fail(ErrorKind::invalid_input, "unpacking a NAR: '{}' has no file name", destination.string());
  }

  int parent() const { return directories.empty() ? base.get() : directories.back().get(); }
  std::string shown() const { return printable(here, 80); }

  void name(std::string_view name) override { here = name; }
  void begin_regular(bool executable, uint64_t size) override;
  void contents(std::string_view piece) override { write_all(file.get(), piece); }
  void end_regular() override;
  void symlink(std::string_view target) override;
  void begin_directory() override;
  void end_directory() override;
};

void NarUnpacker::State::begin_regular(bool executable, uint64_t) {
  const mode_t mode = executable ? 0555 : 0444;
  const mode_t first = file_modes == Modes::wrong ? 0600 : mode;
  file.reset(::openat(parent(), here.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, first));
  if (!file) fail_errno(errno, "unpacking a NAR: creating the file '{}'", shown());
  if (file_modes == Modes::unknown) file_modes = has_mode(file.get(), mode) ? Modes::right : Modes::wrong;
  if (file_modes == Modes::wrong && ::fchmod(file.get(), mode) != 0)
    fail_errno(errno, "unpacking a NAR: setting the mode of '{}'", shown());
}

void NarUnpacker::State::end_regular() {
  if (::futimens(file.get(), canonical_times) != 0)
    fail_errno(errno, "unpacking a NAR: setting the time of '{}'", shown());
  file.reset();
}

void NarUnpacker::State::symlink(std::string_view target) {
  if (::symlinkat(std::string(target).c_str(), parent(), here.c_str()) != 0 ||
      ::utimensat(parent(), here.c_str(), canonical_times, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno(errno, "unpacking a NAR: making the symlink '{}'", shown());
}

void NarUnpacker::State::begin_directory() {
  if (::mkdirat(parent(), here.c_str(),
                directory_modes == Modes::wrong || directory_modes == Modes::later ? 0700 : 0555) != 0)
    fail_errno(errno, "unpacking a NAR: making the directory '{}'", shown());
  Fd fd(::openat(parent(), here.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) fail_errno(errno, "unpacking a NAR: opening the directory '{}'", shown());
  if (directory_modes == Modes::unknown) {
    const bool writable = ::faccessat(fd.get(), ".", W_OK, AT_EACCESS) == 0;
    directory_modes = writable && has_mode(fd.get(), 0555) ? Modes::right : Modes::wrong;
    if (directory_modes == Modes::wrong && ::fchmod(fd.get(), 0700) != 0)
      fail_errno(errno, "unpacking a NAR: setting the mode of a directory");
  }
  directories.push_back(std::move(fd));
}

void NarUnpacker::State::end_directory() {
  const int fd = directories.back().get();
  if ((directory_modes == Modes::wrong && ::fchmod(fd, 0555) != 0) || ::futimens(fd, canonical_times) != 0)
    fail_errno(errno, "unpacking a NAR: setting mode and time of a directory");
  directories.pop_back();
}

NarUnpacker::NarUnpacker(const std::filesystem::path& destination, SetModes set_modes)
    : state_(std::make_unique<State>(destination, set_modes)) {}
NarUnpacker::NarUnpacker(NarUnpacker&&) noexcept = default;
NarUnpacker::~NarUnpacker() = default;
void NarUnpacker::feed(std::string_view piece) { state_->parser.feed(piece); }
void NarUnpacker::finish() { state_->parser.finish(); }

}  // namespace flox::nix
