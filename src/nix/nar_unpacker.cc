#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/nar.h"

namespace flox::nix {
namespace {

constexpr uint64_t max_tag = 32;       // bytes; no word of the format is longer
constexpr uint64_t max_name = 255;     // NAME_MAX
constexpr uint64_t max_target = 4095;  // PATH_MAX without its NUL
constexpr timespec canonical_times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 0}};

template <typename... Args>
[[noreturn]] void malformed(fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorKind::invalid_input, "malformed NAR: {}", fmt::format(format, std::forward<Args>(args)...));
}

// A name from the archive, safe to print.
std::string printable(std::string_view text) {
  std::string result;
  for (char c : text.substr(0, 80))
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? std::string("?") : std::string(1, c);
  return result;
}

// The number that the first 8 bytes hold.
uint64_t little_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 8; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

bool has_mode(int fd, mode_t mode) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && (status.st_mode & 07777) == mode;
}

}  // namespace

// The archive is a sequence of strings. `Reading` says which part of a string comes next, `Expect` which
// string of the grammar it is; only file contents are passed on before they are complete.
struct NarUnpacker::State {
  enum class Reading { length, bytes, padding };
  enum class Expect {
    magic,
    node_open,
    type_key,
    type,
    file_key,
    executable_value,
    contents_key,
    contents,
    node_close,
    target_key,
    target,
    entry_or_close,
    entry_open,
    name_key,
    name,
    node_key,
    entry_close,
    end,
  };

  struct Directory {
    Fd fd;
    std::string last_name;  // the entry before, to see that names increase
  };

  // Whether files and directories can be created with their final modes: nothing in the way (umask, default
  // ACL), and we may write into directories that nobody may write (root). Saves a system call for each. Found
  // out by looking at the first of each.
  enum class Modes { unknown, right, wrong, later };
  Modes file_modes = Modes::unknown;
  Modes directory_modes = ::geteuid() == 0 ? Modes::unknown : Modes::wrong;

  Fd base;           // the directory that holds the destination
  std::string name;  // of the node that is being read, in the innermost open directory
  std::vector<Directory> directories;
  Fd file;

  Reading reading = Reading::length;
  Expect expect = Expect::magic;
  std::string length_bytes;
  std::string text;     // the string so far, unless it is contents
  uint64_t length = 0;  // of the current string
  uint64_t left = 0;    // bytes of it, then of its padding, still to come

  State(const std::filesystem::path& destination, SetModes set_modes) : name(destination.filename()) {
    if (set_modes == SetModes::later) file_modes = directory_modes = Modes::later;
    base = open_file(directory_of(destination), O_RDONLY | O_DIRECTORY);
    if (name.empty())
      fail(ErrorKind::invalid_input, "unpacking a NAR: '{}' has no file name", destination.string());
  }

  int parent() const { return directories.empty() ? base.get() : directories.back().fd.get(); }

  void feed(std::string_view piece);
  void begin_string(uint64_t size);
  void end_of_bytes();
  void end_of_string();
  uint64_t limit() const;
  void want(std::string_view word, Expect next);
  void begin_node(std::string_view type);
  void open_regular(bool executable);
  void end_regular();
  void make_symlink();
  void make_directory();
  void end_directory();
  void end_node();
  void take_name();
};

void NarUnpacker::State::feed(std::string_view piece) {
  while (!piece.empty()) {
    if (expect == Expect::end) malformed("there are bytes after its end");
    switch (reading) {
      case Reading::length: {
        if (length_bytes.empty() && piece.size() >= 8) {
          begin_string(little_endian(piece));
          piece.remove_prefix(8);
          break;
        }
        const size_t count = std::min(piece.size(), 8 - length_bytes.size());
        length_bytes += piece.substr(0, count);
        piece.remove_prefix(count);
        if (length_bytes.size() < 8) break;
        const uint64_t size = little_endian(length_bytes);
        length_bytes.clear();
        begin_string(size);
        break;
      }
      case Reading::bytes: {
        const auto count = static_cast<size_t>(std::min<uint64_t>(piece.size(), left));
        const std::string_view part = piece.substr(0, count);
        if (expect == Expect::contents) {
          write_all(file.get(), part);
        } else {
          text += part;
        }
        piece.remove_prefix(count);
        left -= count;
        if (left == 0) end_of_bytes();
        break;
      }
      case Reading::padding: {
        const auto count = static_cast<size_t>(std::min<uint64_t>(piece.size(), left));
        if (piece.substr(0, count).find_first_not_of('\0') != std::string_view::npos)
          malformed("its padding is not zero");
        piece.remove_prefix(count);
        left -= count;
        if (left == 0) end_of_string();
        break;
      }
    }
  }
}

uint64_t NarUnpacker::State::limit() const {
  switch (expect) {
    case Expect::contents:
      return UINT64_MAX;
    case Expect::name:
      return max_name;
    case Expect::target:
      return max_target;
    default:
      return max_tag;
  }
}

// Nothing is allocated by the announced length before it is known to be allowed.
void NarUnpacker::State::begin_string(uint64_t size) {
  if (size > limit()) malformed("a string of {} bytes where at most {} may stand", size, limit());
  length = left = size;
  text.clear();
  reading = Reading::bytes;
  if (left == 0) end_of_bytes();
}

void NarUnpacker::State::end_of_bytes() {
  left = (8 - length % 8) % 8;
  reading = Reading::padding;
  if (left == 0) end_of_string();
}

void NarUnpacker::State::want(std::string_view word, Expect next) {
  if (text != word) malformed("'{}' stands where '{}' should", printable(text), word);
  expect = next;
}

void NarUnpacker::State::end_of_string() {
  reading = Reading::length;
  switch (expect) {
    case Expect::magic:
      return want("nix-archive-1", Expect::node_open);
    case Expect::node_open:
      return want("(", Expect::type_key);
    case Expect::type_key:
      return want("type", Expect::type);
    case Expect::type:
      return begin_node(text);
    case Expect::file_key:
      if (text == "executable") {
        expect = Expect::executable_value;
        return;
      }
      want("contents", Expect::contents);
      return open_regular(false);
    case Expect::executable_value:
      return want("", Expect::contents_key);
    case Expect::contents_key:
      want("contents", Expect::contents);
      return open_regular(true);
    case Expect::contents:
      return end_regular();
    case Expect::node_close:
      want(")", Expect::end);
      return end_node();
    case Expect::target_key:
      return want("target", Expect::target);
    case Expect::target:
      return make_symlink();
    case Expect::entry_or_close:
      if (text == "entry") {
        expect = Expect::entry_open;
        return;
      }
      want(")", Expect::end);
      end_directory();
      return end_node();
    case Expect::entry_open:
      return want("(", Expect::name_key);
    case Expect::name_key:
      return want("name", Expect::name);
    case Expect::name:
      return take_name();
    case Expect::node_key:
      return want("node", Expect::node_open);
    case Expect::entry_close:
      return want(")", Expect::entry_or_close);
    case Expect::end:
      return;
  }
}

void NarUnpacker::State::begin_node(std::string_view type) {
  if (directories.size() > max_nar_depth) malformed("it is more than {} levels deep", max_nar_depth);
  if (type == "regular") {
    expect = Expect::file_key;
  } else if (type == "symlink") {
    expect = Expect::target_key;
  } else if (type == "directory") {
    make_directory();
    expect = Expect::entry_or_close;
  } else {
    malformed("'{}' is not a type of file", printable(type));
  }
}

void NarUnpacker::State::open_regular(bool executable) {
  const mode_t mode = executable ? 0555 : 0444;
  const mode_t first = file_modes == Modes::wrong ? 0600 : mode;
  file.reset(::openat(parent(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, first));
  if (!file) fail_errno(errno, "unpacking a NAR: creating the file '{}'", printable(name));
  if (file_modes == Modes::unknown) file_modes = has_mode(file.get(), mode) ? Modes::right : Modes::wrong;
  if (file_modes == Modes::wrong && ::fchmod(file.get(), mode) != 0)
    fail_errno(errno, "unpacking a NAR: setting the mode of '{}'", printable(name));
}

void NarUnpacker::State::end_regular() {
  if (::futimens(file.get(), canonical_times) != 0)
    fail_errno(errno, "unpacking a NAR: setting the time of '{}'", printable(name));
  file.reset();
  expect = Expect::node_close;
}

void NarUnpacker::State::make_symlink() {
  if (text.empty() || text.find('\0') != std::string::npos)
    malformed("the symlink '{}' has an impossible target", printable(name));
  if (::symlinkat(text.c_str(), parent(), name.c_str()) != 0 ||
      ::utimensat(parent(), name.c_str(), canonical_times, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno(errno, "unpacking a NAR: making the symlink '{}'", printable(name));
  expect = Expect::node_close;
}

void NarUnpacker::State::make_directory() {
  if (::mkdirat(parent(), name.c_str(),
                directory_modes == Modes::wrong || directory_modes == Modes::later ? 0700 : 0555) != 0)
    fail_errno(errno, "unpacking a NAR: making the directory '{}'", printable(name));
  Fd fd(::openat(parent(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) fail_errno(errno, "unpacking a NAR: opening the directory '{}'", printable(name));
  if (directory_modes == Modes::unknown) {
    const bool writable = ::faccessat(fd.get(), ".", W_OK, AT_EACCESS) == 0;
    directory_modes = writable && has_mode(fd.get(), 0555) ? Modes::right : Modes::wrong;
    if (directory_modes == Modes::wrong && ::fchmod(fd.get(), 0700) != 0)
      fail_errno(errno, "unpacking a NAR: setting the mode of a directory");
  }
  directories.push_back({.fd = std::move(fd), .last_name = {}});
}

void NarUnpacker::State::end_directory() {
  const int fd = directories.back().fd.get();
  if ((directory_modes == Modes::wrong && ::fchmod(fd, 0555) != 0) || ::futimens(fd, canonical_times) != 0)
    fail_errno(errno, "unpacking a NAR: setting mode and time of a directory");
  directories.pop_back();
}

void NarUnpacker::State::end_node() { expect = directories.empty() ? Expect::end : Expect::entry_close; }

void NarUnpacker::State::take_name() {
  if (text.empty() || text == "." || text == ".." || text.find('/') != std::string::npos ||
      text.find('\0') != std::string::npos)
    malformed("'{}' cannot be a file name", printable(text));
  std::string& last = directories.back().last_name;
  if (!last.empty() && text <= last)
    malformed("the names '{}' and '{}' are not sorted", printable(last), printable(text));
  last = text;
  name = text;
  expect = Expect::node_key;
}

NarUnpacker::NarUnpacker(const std::filesystem::path& destination, SetModes set_modes)
    : state_(std::make_unique<State>(destination, set_modes)) {}
NarUnpacker::NarUnpacker(NarUnpacker&&) noexcept = default;
NarUnpacker::~NarUnpacker() = default;
void NarUnpacker::feed(std::string_view piece) { state_->feed(piece); }
void NarUnpacker::finish() {
  if (state_->expect != State::Expect::end) malformed("it is cut off");
}

}  // namespace flox::nix
