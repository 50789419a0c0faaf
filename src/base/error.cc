#include "base/error.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/foreign_error.h"
#include "base/printable.h"

namespace flox {

const char* to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::not_found:
      return "not found";
    case ErrorKind::invalid_input:
      return "invalid input";
    case ErrorKind::untrusted:
      return "untrusted";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::internal:
      return "internal error";
  }
  return "unknown";
}

namespace {

ErrorKind kind_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::not_found;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
      return ErrorKind::conflict;
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EAGAIN:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return ErrorKind::unavailable;
    default:
      return ErrorKind::internal;
  }
}

// What to do about an error of the disk, whatever was attempted; else whoever attempted it knows better.
const char* advice_on_errno(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "Make room on that file system and run it again: 'df' shows which is full, 'flox store gc' "
             "frees what nothing needs.";
    case EIO:
      return "Look into the kernel's log (dmesg) for what is wrong with the disk, then run it again.";
    default:
      return "";
  }
}

}  // namespace

void fail_errno(int error_number, std::string_view message) {
  throw Error(kind_of_errno(error_number), fmt::format("{}: {}", message, std::strerror(error_number)),
              advice_on_errno(error_number));
}

void print_error(const std::exception& error) {
  const bool colour = isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  const Error ours = to_error(error);
  // Messages hold untrusted text: a catalog's words, names in a file.
  std::string text = fmt::format("{}✘ ERROR:{} {}\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "",
                                 printable_lines(ours.what()));
  if (!ours.advice().empty()) text += fmt::format("  {}\n", printable_lines(ours.advice()));
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace flox
