// The few Debian packages whose usefulness comes from a maintainer script, which an import never runs.
#pragma once

#include <filesystem>
#include <string>

namespace flox::package {

// Is the package imported alone, without what it depends on? ca-certificates: its data needs no openssl.
bool is_imported_alone(const std::string& package);

// Does to the unpacked tree what the package's postinst would have done:
// - busybox, busybox-static: bin/APPLET → busybox for each applet that `busybox --list` prints;
// - ca-certificates: etc/ssl/certs/ca-certificates.crt, all of Mozilla's certificates in name order,
// java/cacerts beside it
//   with the same for Java, and nothing else.
void apply_package_rules(const std::string& package, const std::filesystem::path& tree);

}  // namespace flox::package
