// Debian packages: those of a repository, or those that this machine's apt knows and that are installed here.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/os/process.h"
#include "package/debian/apt_repository.h"
#include "package/debian/control.h"

namespace flox::package {

namespace fs = std::filesystem;

struct DebianPackage {
  std::string name;
  std::string version;       // Debian's own, with epoch and revision
  std::string architecture;  // "amd64", "all"
  std::string source;        // the source package that it is built from
  std::string section;
  std::string priority;
  std::string description;  // first line
  std::string sha256;       // of the .deb, hexadecimal; empty if only an installed copy is known
  bool essential = false;
  Relations depends;                         // Pre-Depends and Depends
  std::map<std::string, std::string> exact;  // versions that those ask for exactly, by package
};

struct DebianOptions {
  fs::path download_cache;                             // empty: $XDG_CACHE_HOME/flox/debs
  std::function<void(std::string_view line)> on_step;  // one line per step, for people; may be empty
  DebianSource source;
};

// Asks apt and dpkg through their commands, and remembers the answers: make one per command. One thread at a
// time.
//
// A package's files come from its .deb, in the version that apt would install or in the one that was asked
// for: from the download cache, /var/cache/apt, or a mirror, and have the hash that the repository signed.
// Only a source that is this machine uses installed files: `machine` if no mirror answers, `installed`
// always.
class Debian {
 public:
  explicit Debian(DebianOptions options = {});  // throws as AptRepository does
  ~Debian();
  Debian(const Debian&) = delete;

  bool exists(const std::string& name);
  // Throws Error(not_found) with advice.
  const DebianPackage& package(const std::string& name);
  // Takes this version of the package, which people may give without its epoch, or without its Debian
  // revision if that leaves one. Throws Error(not_found) with the versions that there are, conflict if
  // another one is in use.
  void want(const std::string& name, const std::string& version);
  // The package that satisfies a dependency: the first alternative that exists, else the provider of the
  // first virtual one whose name sorts first; nothing if there is none.
  std::optional<std::string> choose(const std::vector<std::string>& alternatives);

  // Where apt would fetch the .debs of these packages from, by package: URLs without a login, as its sources
  // have them. Those that no http(s) source has are missing.
  std::map<std::string, std::string> urls(const std::set<std::string>& names);
  // Reads the descriptions of many packages in one go.
  void load(const std::set<std::string>& names);
  // Obtains the files of many packages in one go. Throws Error(unavailable) naming those that are not
  // available.
  void obtain(const std::set<std::string>& names);
  // Places (deb_file.h) of its files and links. Obtains the package.
  const std::vector<std::string>& files(const std::string& name);
  // Gives the text of its copyright file, empty if it has none of its own.
  std::string unpack(const std::string& name, const fs::path& directory);
  // Of those obtained so far: were the installed files used, for want of a mirror?
  bool from_installed(const std::string& name) const { return installed_copies_.contains(name); }

  std::vector<std::string> all_from_installed() const;

  // The installed packages that files of this machine belong to, whatever aliases /lib and /usr/lib make. A
  // file that belongs to none is not in the answer.
  std::map<fs::path, std::string> owners(const std::set<fs::path>& files);

  const DebianSource& source() const noexcept { return options_.source; }

  void step(std::string_view line) const {
    if (options_.on_step) options_.on_step(line);
  }

 private:
  Command apt(const std::string& program, std::vector<std::string> arguments,
              const std::set<std::string>& names) const;
  void remember(const std::vector<Stanza>& stanzas);
  const std::vector<DebianPackage>& all_versions(const std::string& name);
  std::optional<std::string> find_provider(const std::vector<std::string>& alternatives);
  std::set<std::string> find_downloaded(const std::set<std::string>& names);
  std::set<std::string> fetchable(const std::set<std::string>& names);
  std::string download(const std::set<std::string>& names);
  void use_installed(const std::set<std::string>& names, const std::string& reason);
  bool is_repository() const noexcept { return options_.source.kind == DebianSource::Kind::repository; }

  DebianOptions options_;
  std::optional<AptRepository> repository_;
  std::map<std::string, std::optional<DebianPackage>> packages_;  // nothing: there is no such package
  std::map<std::string, std::vector<DebianPackage>> versions_;    // all that apt has, where want() asked
  std::map<std::vector<std::string>, std::optional<std::string>> providers_;  // by alternatives
  std::map<std::string, fs::path> debs_;
  std::map<std::string, std::vector<std::string>> installed_copies_;  // paths on this machine
  std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace flox::package
