#include "package/package_rules.h"

#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"

namespace flox::package {
namespace {

void link_applets(const fs::path& tree) {
  std::istringstream applets(run_checked({.argv = {(tree / "bin/busybox").string(), "--list"}}));
  for (std::string applet; std::getline(applets, applet);) {
    fs::path link = tree / "bin" / applet;
    if (!applet.empty() && applet.find('/') == std::string::npos && !fs::exists(fs::symlink_status(link)))
      fs::create_symlink("busybox", link);
  }
}

void bundle_certificates(const fs::path& tree) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(tree / "share/ca-certificates/mozilla"))
    if (entry.path().extension() == ".crt") files.insert(entry.path());
  if (files.empty()) fail(ErrorKind::invalid_input, "package ca-certificates holds no certificates");
  std::string bundle;
  for (const auto& file : files) {
    bundle += read_file(file);
    if (!bundle.ends_with('\n')) bundle += '\n';
  }
  for (const auto& entry : fs::directory_iterator(tree)) remove_tree(entry.path());
  fs::create_directories(tree / "etc/ssl/certs");
  write_file(tree / "etc/ssl/certs/ca-certificates.crt", bundle);
}

}  // namespace

bool is_imported_alone(const std::string& package) { return package == "ca-certificates"; }

void apply_package_rules(const std::string& package, const fs::path& tree) {
  if (package == "busybox" || package == "busybox-static") link_applets(tree);
  if (package == "ca-certificates") bundle_certificates(tree);
}

}  // namespace flox::package
