// Zip and tar archives of strangers, as trees of files: Python's wheels, npm's packages.
#pragma once  // Fuzzed by fuzz/archive_files.cc.

#include <filesystem>

#include "base/os/directory.h"

namespace flox::package {

enum class ArchiveFormat { zip, tar };

// Unpacks the archive's files into the empty directory `out`, without the first `strip` names of each. Their
// modes are 0755 for programs and 0644 for all else, scripts among it: whoever starts one knows its
// interpreter. Throws Error(invalid_input) if the archive is damaged or encrypted; has an entry that is
// neither a file nor a directory, two of one name, or one whose name is absolute, has "..", more than 4,096
// bytes or 128 directories; unpacks to more than 16 GiB, or to more than 256 MiB and 250 times its size; has
// more than a million entries. Then `out` has some of the files.
void unpack_files(const std::filesystem::path& archive, ArchiveFormat format, unsigned strip,
                  const Directory& out);

}  // namespace flox::package
