// The subcommands of flox import, one file each, and what they share.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/publishing.h"
#include "node/floxd/config.h"
#include "package/debian/apt_repository.h"
#include "package/imported/imported_package.h"
#include "package/nix/import_nix.h"

namespace flox::cli {

void add_import_deb(CLI::App& import);
void add_import_nix(CLI::App& import);
void add_import_lock(CLI::App& import);
void add_import_pypi(CLI::App& import);
void add_import_npm(CLI::App& import);

// What becomes of imported packages, whatever they are imported from.
struct ImportResults {
  bool no_smoke_run = false;
  bool allow_broken = false;
  bool json = false;
  bool quiet = false;
  bool publish = false;
  PublishTo publish_to;
};
void add_result_options(CLI::App& command, ImportResults& results);

// Prints imported packages, and publishes them if that is asked for.
class ImportResultWriter {
 public:
  // Before the work: a key may be missing. Throws Error.
  explicit ImportResultWriter(const ImportResults& options);
  void write(const store::LocalStore& store, const package::ImportedPackage& package);
  // The JSON, if that is asked for.
  void finish() const;

 private:
  const ImportResults& options_;
  std::optional<Publisher> publisher_;
  nlohmann::json json_ = nlohmann::json::array();
};

// Which Debian packages are taken, as interpreters and libraries.
struct DebianOrigin {
  std::string suite;
  std::string apt_sources;
  bool installed = false;
};
void add_debian_origin(CLI::App& command, DebianOrigin& origin);
package::DebianSource debian_source(const DebianOrigin& origin);

// Where store paths are taken from that others built.
struct PathOrigin {
  std::vector<std::string> caches;
  std::vector<std::string> trusted_keys;
  std::string nix_root;
};
void add_path_origin(CLI::App& command, PathOrigin& origin);
package::PathSource path_source(const PathOrigin& origin, const Config& config);

}  // namespace flox::cli
