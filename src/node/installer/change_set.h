// Changes to files of a machine that are made all together or not at all, and reverted byte for byte later,
// also by another run of the program: the original files are kept in a directory.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

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

// What was changed so far, kept below a directory.
class ChangeRecord {
 public:
  // Throws Error if the record that is there cannot be read.
  explicit ChangeRecord(fs::path directory);

  bool empty() const noexcept { return originals_.empty(); }
  // Makes the changes. If one fails, those made before it are taken back, and the error thrown. A file that
  // was changed by an earlier set keeps the original of that time.
  void apply(const ChangeSet& set);
  // Everything as it was before the first set, and no record of it left. A file that others have changed
  // since is given to `undo_edits`, which takes our edits out of its text; one without any is
  // Error(conflict), and nothing is done, unless `force`.
  void revert(const UndoEdits& undo_edits, bool force);
  // What revert would do.
  ChangeSet reversion(const UndoEdits& undo_edits, bool force) const;
  // The files of the record.
  std::vector<fs::path> paths() const;

 private:
  struct Original {
    std::optional<FileState> state;
    std::string installed_sha256;  // hex, of the content that we wrote last
    bool is_counted = false;
  };
  void save() const;
  fs::path directory_;
  std::map<fs::path, Original> originals_;
  std::vector<fs::path> made_directories_;  // by us, outermost first
};

}  // namespace flox::node
