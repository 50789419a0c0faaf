// Writing tar archives that are the same wherever they are written: owned by root, with one time for all
// entries.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct archive;

namespace flox::oci {

// POSIX ustar, with pax headers (POSIX.1-2001) where a name is too long for that. One thread at a time. All
// throw Error, or what the sink throws.
class Tar {
 public:
  using Sink = std::function<void(std::string_view bytes)>;
  // `time`: of every entry, seconds since 1970. The sink gets the archive's bytes in order.
  explicit Tar(Sink sink, int64_t time = 0);

  // Paths are relative, as "nix/store/…".
  void add_file(const std::string& path, std::string_view content, unsigned mode);
  void add_directory(const std::string& path, unsigned mode);
  void add_link(const std::string& path, const std::string& target);
  // A file of which exactly `size` bytes follow through write().
  void begin_file(const std::string& path, uint64_t size, unsigned mode);
  void write(std::string_view bytes);
  // The end of the archive; call it last.
  void finish();

 private:
  struct Entry {
    unsigned type;
    unsigned mode;
    uint64_t size = 0;
    const std::string* target = nullptr;
  };
  void add(const std::string& path, const Entry& entry);
  [[noreturn]] void fail_writing(const std::string& path);

  Sink sink_;
  std::exception_ptr sink_error_;
  int64_t time_;
  std::unique_ptr<archive, int (*)(archive*)> archive_;
};

}  // namespace flox::oci
