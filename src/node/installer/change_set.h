// Changes to files of a machine that are made all together or not at all, and reverted byte for byte later,
// also by another run of the program: the original files are kept in a directory.
//
// The record, installation.json in that directory, is on the disk before the first file is changed:
//   files: by path; before: mode, uid and gid of the original, whose content is in originals/ under the
//     SHA-256 of the path, or null; installed_sha256, replaced_sha256: see Original; counted
//   directories: those made, outermost first
//   unfinished: true from before the first change until finish()
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"

namespace flox::node {

namespace fs = std::filesystem;

// A regular file, or none. Symbolic links are followed.
struct FileState {
  std::string content;
  mode_t mode = 0644;
  uid_t uid = 0;
  gid_t gid = 0;
  bool operator==(const FileState&) const = default;
};
// Nothing if there is no such file. Throws Error for anything but a regular file.
std::optional<FileState> file_state(const fs::path& path);

struct FileChange {
  fs::path path;
  std::optional<FileState> before, after;
  bool is_counted = false;  // one of many of its directory, whose texts nobody wants to read
};

// What is to be changed. Paths are absolute.
class ChangeSet {
 public:
  // Nothing, if the file is so already. A mode of 0 keeps the file's own (0644 for a new one). Throws Error.
  void write(const fs::path& path, std::string content, mode_t mode = 0);
  // The same for a file of which a difference only says how many there are.
  void write_counted(const fs::path& path, std::string content);
  void add(FileChange change);
  const std::vector<FileChange>& changes() const noexcept { return changes_; }
  bool empty() const noexcept { return changes_.empty(); }
  bool touches(const fs::path& path) const;
  // For people: a unified diff of texts, one line for programs, and one for all counted files of a directory.
  std::string diff() const;
  // For people, one for each changed file, or for all counted files of a directory.
  std::vector<std::string> names() const;

 private:
  std::vector<FileChange> changes_;
};

using UndoEdits = std::function<std::string(std::string_view)>;

// What was changed so far, kept below a directory. Whoever changes files has a ChangeLock. A process may be
// killed at any point: what is there then is a file's old state or its new one, whole, and the next apply()
// or revert() goes on from there.
class ChangeRecord {
 public:
  // Throws Error if the record that is there cannot be read.
  explicit ChangeRecord(fs::path directory);

  bool empty() const noexcept { return originals_.empty() && made_directories_.empty(); }
  // Whether the one who began to change files has not said that all is done, as one who was killed: some
  // files may be those of before, and programs that have read them may not know the others.
  bool is_unfinished() const noexcept { return unfinished_; }
  // Makes the changes. All new files are on the disk before the first takes its place, so what may well fail
  // (a full disk, a path that is none) fails before anything has changed: then Error, and all is as it was.
  // If a file cannot take its place, those that have done so are taken back, and the error thrown. A file
  // that was changed by an earlier set keeps the original of that time. finish() is to follow.
  void apply(const ChangeSet& set);
  // All is done that the changes are for.
  void finish();
  // Every file as it was before the first set; forget() is to follow. A file that others have changed since
  // is given to `undo_edits`, which takes our edits out of its text; one without any is Error(conflict), and
  // nothing is done, unless `force`.
  void revert(const UndoEdits& undo_edits, bool force);
  // What revert would do.
  ChangeSet reversion(const UndoEdits& undo_edits, bool force) const;
  // Removes the record, and the directories that were made for it and for files, where nothing else is in
  // them.
  void forget();
  // The files of the record.
  std::vector<fs::path> paths() const;

 private:
  struct Original {
    std::optional<FileState> state;
    std::string installed_sha256;  // hex, of the content that we wrote last; empty: we removed it
    std::string replaced_sha256;   // likewise, of the content before that, while a set is unfinished
    bool is_counted = false;
    // Whether it is what we wrote, also if the set that was to change it did not come to it.
    bool is_ours(const FileState& now) const;
  };
  void begin(const ChangeSet& set);
  // The record of before is this again, and directories that were made since go.
  void take_back(const ChangeRecord& before);
  void save() const;
  fs::path directory_;
  std::map<fs::path, Original> originals_;
  std::vector<fs::path> made_directories_;  // by us, outermost first
  bool unfinished_ = false;
};

// Held by the one who changes this machine's files, from reading them on until all is done. Nothing is
// written for it: the lock is the directory's own.
class ChangeLock {
 public:
  // Waits for another process that has it, after a call of `on_wait`. Throws Error.
  ChangeLock(const fs::path& root, const std::function<void()>& on_wait);

 private:
  Fd directory_;
};

}  // namespace flox::node
