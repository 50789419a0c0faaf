// What a mount of store paths is served from, on the disk: all that a server needs to begin, and another one
// to go on where it ended. They are of one boot, as the mount is, and of one version of this program.
//
//   FILES/mount.json         the caches and the trusted keys, and the names of the paths; a path's
//                            slot is its place among them, from 1
//   FILES/known/HASH-NAME    a line of JSON, [{"cache": N, "narinfo": TEXT}]: what caches say of the path;
//                            then its index, as it came from the first of them
//   FILES/parts/HASH-NAME    what has come of it (part_file.h)
//
// A mount that is given further paths (served_paths.h) has none to begin with, and of those that came:
//
//   FILES/slots.json    {"last": N, "paths": [[HASH-NAME, SLOT, STORE]…]}: their slots, the directory of the
//                       store that has all of a path (or ""), and the largest slot so far: none is given
//                       twice
//   FILES/control       the socket over which paths are given (control.h)
//
// One file for a path and one for all slots: a closure has many paths, and a file system takes a millisecond
// or more to make a file.
#pragma once

#include <filesystem>
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

// What is known of one path, in place of what may be there of it.
void write_remote_path(const Directory& files, const RemotePath& path);
// Whether that is there.
bool has_remote_path(const Directory& files, const nix::StorePath& path);
// Where what has come of paths is, each under its name.
Directory parts_of(const Directory& files);
std::filesystem::path part_place(const std::filesystem::path& files, const nix::StorePath& path);

// Throws Error(invalid_input) for what write_mount_files() does not write.
MountPlan read_mount_plan(const Directory& files);
// One of the plan's paths, with `remote` made of the plan; verified as it was when it came.
RemotePath read_mounted_path(const Directory& files, const nix::StorePath& path, RemotePaths& remote);

// What a mount that is given further paths remembers.
struct GivenPath {
  nix::StorePath path;
  uint32_t slot = 0;
  std::string whole = {};  // directory of the store that has it; empty: it is on its way
};
struct GivenPaths {
  uint32_t last_slot = 0;
  std::vector<GivenPath> paths;
};
void write_given_paths(const Directory& files, const GivenPaths& given);
// Throws Error(invalid_input) for what write_given_paths() does not write.
GivenPaths read_given_paths(const Directory& files);
// What is known of the path, and what has come of it.
void remove_path(const Directory& files, const nix::StorePath& path);

}  // namespace flox::lazy
