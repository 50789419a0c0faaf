// Unpacking archives of strangers in a process that can reach nothing but the archive and its new directory
// (docs/explanation/isolation.md).
#pragma once

#include <filesystem>

#include "package/imported/archive_files.h"

namespace flox::package {

// Makes the job known; before run_confined_job() of a program that unpacks.
void add_unpack_job();

// As unpack_files(), confined. `directory` exists and is empty. Throws Error as that does; unavailable if the
// process died.
void unpack_confined(const std::filesystem::path& archive, ArchiveFormat format, unsigned strip,
                     const std::filesystem::path& directory);

}  // namespace flox::package
