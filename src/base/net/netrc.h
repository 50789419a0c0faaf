// Files of secrets that other tools share with us (netrc, ~/.aws/credentials), and what netrc has for a
// server.
#pragma once  // Fuzzed by fuzz/netrc.cc.

#include <filesystem>
#include <optional>
#include <string>

#include "base/net/url.h"

namespace flox {

// The whole of a file of another tool's secrets. Those tools do not mind who else may read theirs, so this
// only logs a warning, once a file. Throws Error: not_found, untrusted if it is not a regular file,
// invalid_input over 1 MiB.
Secret read_shared_secret_file(const std::filesystem::path& path);

// The login for the URL's host in $NETRC, or else the file that Nix reads (/etc/nix/netrc), or else ~/.netrc;
// nothing if no file that can be read has one. A login in the URL itself, without a password, chooses among
// several. Format: inetutils' manual, ".netrc"; quoted values as curl has them.
std::optional<Login> netrc_login(const HttpUrl& url);
// The same within a file's text: the first entry for the host with login and password, "default" being for
// every host; else, as curl has it, the first one with a password alone, which is every login's; else with a
// login alone. An entry of another login than `user` counts for nothing.
std::optional<Login> login_in_netrc(std::string_view text, const std::string& host,
                                    const std::string& user = {});

}  // namespace flox
