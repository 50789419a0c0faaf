// What distinguishes one locked environment from another, for people.
#pragma once

#include <string>
#include <vector>

#include "env/lockfile.h"

namespace flox::env {

// One line for each package and each part of the manifest that differs, packages first, each by name:
//   + jq 1.7      - git 2.40      ~ curl 8.0 -> 8.1      ~ curl 8.1 (another build)      ~ [vars] PORT
// A package that differs for some systems only names them. Each line is printable. Nothing if the locks say
// the same.
std::vector<std::string> lock_differences(const Lockfile& before, const Lockfile& after);

}  // namespace flox::env
