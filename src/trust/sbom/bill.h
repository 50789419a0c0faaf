// What a closure consists of: each store path with the package that it is, for a software bill of materials
// (SBOM) in one of the published formats (spdx.h, cyclonedx.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "env/lockfile.h"
#include "nix/path_info.h"
#include "store/local/local_store.h"
#include "trust/sbom/package_file.h"

namespace flox::trust {

// One store path.
struct Component {
  nix::StorePath path;
  Sha256Digest nar_hash{};
  uint64_t nar_size = 0;             // bytes
  nix::StorePathSet references;      // without the path itself
  PackageEntry package;              // version and licence may be empty: unknown
  std::vector<PackageEntry> merged;  // further packages in the same tree
};

struct Bill {
  std::string name;                   // of what the bill is about, for people
  nix::StorePathSet roots;            // whose closure it is
  std::vector<Component> components;  // by path
};

// What is said of store paths elsewhere than in them.
using DeclaredPackages = std::map<nix::StorePath, PackageEntry>;
// What a lock says of the packages of a system: version, and licence if it is an SPDX expression.
DeclaredPackages packages_of(const env::Lockfile& lock, std::string_view system);

// The closure of the paths. What a path is, its package file says; otherwise `declared`; otherwise its name,
// with the version that begins after the first '-' before a digit, as Nix has it. A package file that is none
// is warned of, and its path counts as one without. Throws Error(not_found) if a path is not valid.
Bill bill_of(const store::LocalStore& store, std::string name, const nix::StorePathSet& roots,
             const DeclaredPackages& declared = {});

// The same of a closure that is elsewhere, as a binary cache describes it: `closure` is all of it. Package
// files are not read.
Bill bill_of(std::string name, const nix::StorePathSet& roots, std::vector<nix::PathInfo> closure,
             const DeclaredPackages& declared = {});

// The same for the same bill and time on any machine: the identity of its documents. As text a UUID (RFC
// 9562, version 8).
std::string document_uuid(const Bill& bill, std::string_view created);

}  // namespace flox::trust
