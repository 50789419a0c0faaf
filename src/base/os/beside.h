// Files that are written beside the name that they are to have.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/os/directory.h"

namespace flox {

// Whether flock(2) tells of everybody who has a file or directory of this file system locked: those that
// other machines may have mounted too (NFS, 9p, virtiofs, FUSE, …) tell of this machine's at most, so that
// what looks left may be in use.
bool tells_all_locks(int fd) noexcept;

// Offers `take` the names that the file `name` may have until it is whole, and gives the one for which it
// said that it has made a file of that name. The first is the same for all who write the file, so that what
// one has left that was killed is found and removed, if it is this user's and tells_all_locks(): who makes
// such a file locks it, exclusively and by flock(2), before others see it or before it says so. Throws
// Error(unavailable) if all are taken.
std::string take_name_beside(const Directory& directory, const std::string& name,
                             const std::function<bool(const std::string& beside)>& take);

// Removes what one who was killed has left of the file `name` under the first of these names, as
// take_name_beside does; for a file that is not written again. Does nothing where that cannot be told.
void remove_left_beside(const Directory& directory, const std::string& name);

// Makes a file of such a name, locked. The caller renames or removes it.
std::pair<Fd, std::string> make_file_beside(const Directory& directory, const std::string& name,
                                            unsigned mode);

// Makes the file of that content, or replaces it as a whole. `synced`: it is on the disk under its name when
// this returns. Throws Error, and nothing has changed then, unless it is that of the last sync.
void replace_file(const Directory& directory, const std::string& name, std::string_view content,
                  unsigned mode, bool synced);

}  // namespace flox
