#include "package/debian/package_rules.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <sstream>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "package/build/build_command.h"
#include "package/build/build_root.h"
#include "package/debian/truststore.h"

namespace flox::package {

namespace fs = std::filesystem;

namespace {

constexpr size_t max_certificate = 1 << 20;  // bytes

// What `busybox --list` prints. The program is the package's, whoever has made that: it runs where it sees
// itself and this machine's libraries, and can write nothing.
std::string listed_applets(const fs::path& tree) {
  constexpr rlim_t most = 1 << 20;  // bytes
  constexpr unsigned longest = 60;  // seconds
  const Fd output(::memfd_create("applets", MFD_CLOEXEC));
  if (!output) fail_errno(errno, "listing busybox's applets");
  const TempDir at("flox-applets-");
  BuildRoot root{.at = at.path(),
                 .store = {},
                 .store_paths = {},
                 .shown = {{.from = fs::canonical(tree), .to = "/tree"}},
                 .links = {{"bin/sh", "/usr/bin/sh"}}};
  for (const char* place : {"/usr", "/lib", "/lib64"})
    if (fs::is_directory(place)) root.shown.push_back({.from = place, .to = place});
  const int code = run_apart([&] {
    return run_in_root(root, [&] {
      const rlimit limit{most, most};
      char* const argv[] = {const_cast<char*>("/tree/bin/busybox"), const_cast<char*>("--list"), nullptr};
      char* const environment[] = {nullptr};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0 || ::dup2(output.get(), 1) < 0)
        fail_errno(errno, "starting it");
      ::alarm(longest);
      ::execve(argv[0], argv, environment);
      fail_errno(errno, "starting it");
    });
  });
  if (code != 0) fail(ErrorKind::invalid_input, "busybox --list failed with exit code {}", code);
  ::lseek(output.get(), 0, SEEK_SET);
  return read_all(output.get());
}

// What the package has in the tree is run, never what a link of its leads to.
void link_applets(const fs::path& tree) {
  const Directory programs = Directory(tree).subdirectory("bin");
  const auto busybox = programs.status("busybox");
  if (!busybox || !S_ISREG(busybox->st_mode))
    fail(ErrorKind::invalid_input, "package busybox holds no program bin/busybox");
  std::istringstream applets(listed_applets(tree));
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
