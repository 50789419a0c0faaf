// What a mount of store paths is served from, on the disk: all that a server needs to begin, and another one
// to go on where it ended. They are of one boot, as the mount is, and of one version of this program.
//
//   FILES/mount.json              the caches and the trusted keys, and the names of the paths; a path's
//                                 slot is its place among them, from 1
//   FILES/HASH-NAME/offers.json   what caches say of the path: [{"cache": N, "narinfo": TEXT}]
//   FILES/HASH-NAME/index.zst     its index, as it came from the first of them
//   FILES/HASH-NAME/…             what has come of it (sparse_path.h)
//
// A mount that is given further paths (served_paths.h) has none to begin with, and of each that came:
//
//   FILES/HASH-NAME/slot          its slot; what has none is not in the mount
//   FILES/HASH-NAME/whole         directory of the store that has all of it
//   FILES/last-slot               the largest slot so far: none is given twice
//   FILES/control                 the socket over which paths are given (control.h)
#pragma once

#include <string>
#include <vector>

#include "base/confined/sandbox.h"
#include "base/os/directory.h"
#include "lazy/remote_paths.h"
#include "nix/store_path.h"

namespace flox::lazy {

struct MountPlan {
  std::string directory;                  // where it is mounted, for messages
  std::vector<std::string> caches;        // CacheUrl; may hold passwords
  std::vector<std::string> trusted_keys;  // as texts
  IsolationPolicy isolation = IsolationPolicy::required;
  bool whole = false;    // also fetch what nobody reads
  bool further = false;  // paths are given while it is there
  std::vector<nix::StorePath> paths;
};

// `files` is empty and only its owner's. `paths` are those of the plan, in its order. Throws Error.
void write_mount_files(const Directory& files, const MountPlan& plan, const std::vector<RemotePath>& paths);

// The files of one path, in place of what may be there of it.
void write_remote_path(const Directory& files, const RemotePath& path);

// Throws Error(invalid_input) for what write_mount_files() does not write.
MountPlan read_mount_plan(const Directory& files);
// One of the plan's paths, with `remote` made of the plan; verified as it was when it came.
RemotePath read_mounted_path(const Directory& files, const nix::StorePath& path, RemotePaths& remote);

// What a mount that is given further paths remembers of one.
struct GivenPath {
  nix::StorePath path;
  uint32_t slot = 0;
  std::string whole = {};  // directory of the store that has it; empty: it is on its way
};
void write_given_path(const Directory& files, const GivenPath& given);
std::vector<GivenPath> read_given_paths(const Directory& files);
// Takes its slot first, so that what remains if this does not come to its end is not in the mount.
void remove_given_path(const Directory& files, const nix::StorePath& path);
// Gives the next slot, and remembers that it is taken.
uint32_t take_slot(const Directory& files);

}  // namespace flox::lazy
