// The Debian repository that packages are imported from: apt in a directory of its own, which knows nothing
// of what is installed on this machine, of its sources and of its preferences. apt verifies the repository's
// signature with the given keyring, its lists by the signed hashes, and each .deb by the lists.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/os/file.h"

namespace flox::package {

// Where Debian packages come from.
struct DebianSource {
  enum class Kind {
    machine,     // what this machine's apt has, and its installed files where no mirror answers
    repository,  // the repository, whatever this machine is
    installed,   // the files that are installed on this machine
  };
  Kind kind = Kind::machine;
  std::string suite = "bookworm";  // of Debian, as "trixie"
  std::filesystem::path sources;   // a file of apt's sources instead of Debian's own; empty: none
};

// Debian's own sources for a suite, in apt's format (sources.list(5), deb822). Throws Error(invalid_input)
// for what cannot be the name of a suite.
std::string debian_sources(std::string_view suite);

// Refuses sources that apt would take without a signature ("trusted=yes", "Allow-Insecure: yes"):
// Error(untrusted) with file and line. `name` is the file's.
void check_sources(std::string_view text, std::string_view name);

// Prepared by the constructor: lists that are missing or older than an hour are fetched; if that fails and
// there are older ones, those are used, and a line says so. Throws Error (unavailable if there are none). One
// thread at a time; other processes may use the same directory.
class AptRepository {
 public:
  AptRepository(const std::filesystem::path& cache, const DebianSource& source,
                const std::function<void(std::string_view)>& on_step);
  // What apt's programs need in their environment to use it.
  std::map<std::string, std::string> variables() const;

 private:
  void write_configuration(const std::string& sources_name) const;
  void refresh(const std::function<void(std::string_view)>& on_step);

  std::filesystem::path directory_;
  std::unique_ptr<FileLock> in_use_;
};

}  // namespace flox::package
