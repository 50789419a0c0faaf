// What a build is made from, looked at before its command runs.
#pragma once

#include <filesystem>
#include <string>

#include "trust/attestation/provenance.h"

namespace flox::package {

// The project's files as one hash and, in a git work tree, the commit, where it was cloned from and whether
// anything differs from it. The files are those that git does not ignore; without git all but .git; never
// results of builds (result-*) or what flox keeps in .flox/run, .flox/cache and .flox/log. The hash,
// "dirHash1", is that of the text which `sha256sum` prints of them, sorted by name (a link counts as a file
// that holds its target), so
//   git ls-files -z --cached --others --exclude-standard | sort -z | xargs -0 sha256sum | sha256sum
// checks it. Changes nothing. Throws Error if a file cannot be read.
trust::BuildInput look_at_sources(const std::filesystem::path& project);

// Copies the same files, links as links, into a directory that is empty and nobody else's. Changes nothing of
// the project. Throws Error, and invalid_input for more than 64 GiB.
void copy_sources(const std::filesystem::path& project, const std::filesystem::path& to);

}  // namespace flox::package
