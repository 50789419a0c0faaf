// A directory in which nothing is followed.
//
// Everything that this project writes into a tree that somebody else can name things in (the store's scratch
// trees, a container's root, a bundle, a volume) goes through this type: names are resolved below the
// directory's own descriptor by openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
// RESOLVE_NO_MAGICLINKS, so that neither a link, nor "..", nor a rename meanwhile leads out of it. Where the
// kernel has no openat2 (before Linux 5.6, or a seccomp filter) every component is opened by itself with
// O_NOFOLLOW, which is equal.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"

namespace flox {

// Whether the text can be the name of one file: not empty, "." or "..", at most 255 bytes, no '/' and no NUL.
bool is_file_name(std::string_view name) noexcept;
// Throws Error(invalid_input) "WHAT 'NAME' cannot be a file name" otherwise. Gives the name back.
std::string file_name(std::string_view name, std::string_view what);

// Movable. Thread-safe as far as the file system is. Paths are relative, "a/b"; an absolute one, one with
// ".." or an empty one is Error(invalid_input); a link on the way is Error(untrusted); missing is not_found.
class Directory {
 public:
  // The path itself is trusted: links on the way to it are followed, but it must not be one. Throws Error.
  explicit Directory(const std::filesystem::path& path);
  // Takes the descriptor of a directory over; `name` is for messages.
  Directory(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  int fd() const noexcept { return fd_.get(); }
  const std::string& name() const noexcept { return name_; }

  // open(2) with O_CLOEXEC and O_NOFOLLOW. With O_CREAT|O_EXCL among the flags it makes the file.
  Fd open(std::string_view path, int flags, unsigned mode = 0) const;
  // A directory below this one, which must exist.
  Directory subdirectory(std::string_view path) const;
  // The same, made with all on the way to it if missing. A link or a file there is Error(untrusted).
  Directory make_directory(std::string_view path, unsigned mode = 0755) const;
  // What is there, not following it; nothing if it is missing.
  std::optional<struct stat> status(std::string_view path) const;
  bool exists(std::string_view path) const { return status(path).has_value(); }

  // The whole of a regular file. Over `limit` bytes is Error(invalid_input); a device, fifo or link
  // untrusted.
  std::string read_file(std::string_view path, size_t limit) const;
  // Makes the file, or replaces it as a whole by rename: a reader sees the old or the new, a link is replaced
  // and never written through. Its directory must exist. What one has left that was killed goes with the next
  // of that name.
  void write_file(std::string_view path, std::string_view content, unsigned mode = 0644) const;
  // Makes a file that must not exist (Error(conflict)).
  void create_file(std::string_view path, std::string_view content, unsigned mode = 0644) const;
  // Makes a symbolic link that must not exist. What it points to is not looked at.
  void make_link(std::string_view path, std::string_view target) const;
  std::string read_link(std::string_view path) const;
  // Names in the directory itself, sorted, without "." and "..". More than `limit` is Error(invalid_input).
  std::vector<std::string> names(size_t limit = 1'000'000) const;
  // Removes the file, link or tree, however deep; missing is fine. Nothing is followed. While somebody else
  // goes on making files in a tree it does not end.
  void remove(std::string_view path) const;
  // Moves `from` to `to` in the other directory, replacing a file there. Same file system.
  void rename(std::string_view from, const Directory& to_directory, std::string_view to) const;

 private:
  // The directory that holds the path's last component, which goes to `last`.
  Directory parent_of(std::string_view path, std::string& last) const;

  Fd fd_;
  std::string name_;
};

}  // namespace flox
