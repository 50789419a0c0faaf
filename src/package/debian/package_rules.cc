#include "package/debian/package_rules.h"

#include <sys/stat.h>

#include <map>
#include <sstream>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/os/directory.h"
#include "base/os/process.h"
#include "package/debian/truststore.h"

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
  std::map<std::string, std::string> trusted;
  if (root.exists("share/ca-certificates/mozilla")) {
    const Directory certificates = root.subdirectory("share/ca-certificates/mozilla");
    for (const auto& name : certificates.names()) {
      if (!name.ends_with(".crt")) continue;
      const std::string certificate = certificates.read_file(name, max_certificate);
      if (auto decoded = in_context(name, [&] { return certificate_of_pem(certificate); }))
        trusted["debian:" + lower_case(name.substr(0, name.size() - 4)) + ".pem"] = *std::move(decoded);
      bundle += certificate;
      if (!bundle.ends_with('\n')) bundle += '\n';
    }
  }
  if (bundle.empty()) fail(ErrorKind::invalid_input, "package ca-certificates holds no certificates");
  for (const auto& name : root.names()) root.remove(name);
  const Directory certificates = root.make_directory("etc/ssl/certs");
  certificates.write_file("ca-certificates.crt", bundle);
  certificates.make_directory("java").write_file("cacerts", java_truststore(trusted));
}

}  // namespace

bool is_imported_alone(const std::string& package) { return package == "ca-certificates"; }

void apply_package_rules(const std::string& package, const fs::path& tree) {
  if (package == "busybox" || package == "busybox-static") link_applets(tree);
  if (package == "ca-certificates") bundle_certificates(tree);
}

}  // namespace flox::package
