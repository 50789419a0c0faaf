// .deb files (deb(5)) and where their content goes in a store path.
//
// A store path has one prefix where Debian has / and /usr: "usr/bin/x" and "bin/x" both become "bin/x"
// (Debian's own merged /usr guarantees that no two packages need both). What nobody needs to run a program is
// left out: share/doc, share/lintian, share/bug, share/initramfs-tools, and glibc's gconv modules, which it
// would look for in /usr/lib only.
#pragma once  // Fuzzed by fuzz/deb_file.cc.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flox::package {

namespace fs = std::filesystem;

// Where a Debian path ("./usr/lib/x", "/lib/x") is in a store path ("lib/x"); nothing for the root itself.
// Normalises "." and "..".
std::optional<std::string> layout_path(std::string_view debian_path);
// Is this place (as from layout_path) left out of store paths?
bool left_out(std::string_view layout_path);

// Places of all files and symbolic links that unpacking would make, sorted. Throws Error.
std::vector<std::string> list_deb(const fs::path& deb);

// Unpacks into `directory` (made if missing; packages may be unpacked over each other). Relative symbolic
// links are rewritten for the new places, absolute ones stay. Set-user-id bits are dropped, hard links become
// copies; no maintainer script is run. Throws Error(conflict) if another package already
// put a different file in a place, invalid_input if the file is damaged, holds a device, or unpacks to far
// more than its size. Gives the text of the package's copyright file, share/doc/NAME/copyright, which is left
// out of the tree; empty if there is none, or if it belongs to another package (a link).
std::string unpack_deb(const fs::path& deb, const fs::path& directory);

// The same from the files that an installed package has on this machine, named as dpkg -L prints them.
std::string copy_installed(const std::vector<std::string>& files, const fs::path& directory);

}  // namespace flox::package
