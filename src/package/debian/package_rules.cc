#include "package/debian/package_rules.h"

#include <sys/stat.h>

#include <sstream>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/process.h"

namespace flox::package {

namespace fs = std::filesystem;

namespace {

constexpr size_t max_certificate = 1 << 20;  // bytes

// What the package has in the tree is run, never what a link of its leads to.
void link_applets(const fs::path& tree) {
  const Directory programs = Directory(tree).subdirectory("bin");
  const auto busybox = programs.status("busybox");
  if (!busybox || !S_ISREG(busybox->st_mode))
    fail(ErrorKind::invalid_input, "package busybox holds no program bin/busybox");
  std::istringstream applets(run_checked({.argv = {(tree / "bin/busybox").string(), "--list"}}));
  for (std::string applet; std::getline(applets, applet);)
    if (is_file_name(applet) && !programs.exists(applet)) programs.make_link(applet, "busybox");
}

void bundle_certificates(const fs::path& tree) {
  const Directory root(tree);
  std::string bundle;
  if (root.exists("share/ca-certificates/mozilla")) {
    const Directory certificates = root.subdirectory("share/ca-certificates/mozilla");
    for (const auto& name : certificates.names()) {
      if (!name.ends_with(".crt")) continue;
      bundle += certificates.read_file(name, max_certificate);
      if (!bundle.ends_with('\n')) bundle += '\n';
    }
  }
  if (bundle.empty()) fail(ErrorKind::invalid_input, "package ca-certificates holds no certificates");
  for (const auto& name : root.names()) root.remove(name);
  root.make_directory("etc/ssl/certs").write_file("ca-certificates.crt", bundle);
}

}  // namespace

bool is_imported_alone(const std::string& package) { return package == "ca-certificates"; }

void apply_package_rules(const std::string& package, const fs::path& tree) {
  if (package == "busybox" || package == "busybox-static") link_applets(tree);
  if (package == "ca-certificates") bundle_certificates(tree);
}

}  // namespace flox::package
