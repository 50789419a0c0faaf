#include "node/installer/change_set.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/beside.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "base/os/unfinished_file.h"
#include "base/settings/units.h"

namespace flox::node {
namespace {

using json = nlohmann::json;

std::string hash_of(std::string_view content) { return to_hex(bytes_of(sha256(content))); }

// A file's next state, on the disk but not under the file's name yet. Goes with the object, or the process.
class StagedFile {
 public:
  // Throws Error. Of counted files, which the next installation writes anew, power may be lost.
  explicit StagedFile(const FileChange& change)
      : path_(change.path),
        directory_(open_file(path_.parent_path(), O_RDONLY | O_DIRECTORY), path_.parent_path()),
        is_synced_(!change.is_counted) {
    const std::optional<FileState>& state = change.after;
    if (!state) return;
    in_context("writing " + path_.string(), [&] {
      file_.emplace(directory_, path_.filename(), 0600);
      write_all(file_->fd(), state->content);
      // After the ownership, which takes set-user-ID bits away.
      if (::fchown(file_->fd(), state->uid, state->gid) != 0 || ::fchmod(file_->fd(), state->mode) != 0)
        fail_errno(errno, "setting its owner and mode");
      if (is_synced_ && ::fsync(file_->fd()) != 0) fail_errno(errno, "bringing it to the disk");
    });
  }
  // Takes the file's place, or removes it if there is no next state.
  void put() {
    if (file_)
      file_->replace();
    else
      directory_.remove(path_.filename().native());
    if (is_synced_ && ::fsync(directory_.fd()) != 0)
      fail_errno(errno, "bringing {} to the disk", directory_.name());
  }

 private:
  fs::path path_;
  Directory directory_;
  bool is_synced_;
  std::optional<UnfinishedFile> file_;
};

bool is_text(const std::optional<FileState>& state) {
  return !state || state->content.find('\0') == std::string::npos;
}

std::string describe(const std::optional<FileState>& state) {
  return state ? fmt::format("{} bytes, mode {:04o}", state->content.size(), state->mode) : "not there";
}

// Nobody but its owner may read it.
bool is_secret(const std::optional<FileState>& state) { return state && (state->mode & 077U) == 0; }

std::string text_diff(const FileChange& change) {
  TempDir dir("flox-diff-");
  write_file(dir.path() / "before", change.before ? change.before->content : "");
  write_file(dir.path() / "after", change.after ? change.after->content : "");
  const std::string path = change.path.string();
  Outcome outcome =
      run({.argv = {"diff", "-u", "--label", change.before ? path : "/dev/null", "--label",
                    change.after ? path : "/dev/null", dir.path() / "before", dir.path() / "after"}});
  if (outcome.exit_code > 1) fail(ErrorKind::internal, "diff: {}", outcome.err);
  return outcome.out;
}

struct CountedFiles {
  size_t number = 0;
  bool any_stays = false;  // is there after the change
};
// By directory.
std::map<fs::path, CountedFiles> counted(const std::vector<FileChange>& changes) {
  std::map<fs::path, CountedFiles> result;
  for (const auto& change : changes) {
    if (!change.is_counted) continue;
    CountedFiles& files = result[change.path.parent_path()];
    ++files.number;
    files.any_stays |= change.after.has_value();
  }
  return result;
}

// The directories of the path that are not there, outermost first.
std::vector<fs::path> missing_directories(const fs::path& directory) {
  std::vector<fs::path> missing;
  for (fs::path at = directory; !fs::exists(at); at = at.parent_path()) missing.insert(missing.begin(), at);
  return missing;
}

// The directory, and those above it that hold nothing else; outermost first.
std::vector<fs::path> directories_only_for(const fs::path& directory) {
  std::vector<fs::path> result{directory};
  for (fs::path above = directory.parent_path(); above.has_relative_path(); above = above.parent_path()) {
    if (std::distance(fs::directory_iterator(above), {}) != 1) break;
    result.insert(result.begin(), above);
  }
  return result;
}

json to_json(const std::optional<FileState>& state) {
  if (!state) return nullptr;
  return {{"mode", state->mode}, {"uid", state->uid}, {"gid", state->gid}};
}

}  // namespace

std::optional<FileState> file_state(const fs::path& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    fail_errno(errno, "reading {}", path.string());
  }
  if (!S_ISREG(info.st_mode))
    fail(ErrorKind::conflict, "{} is there, but it is not a regular file", path.string());
  return FileState{
      .content = read_file(path), .mode = info.st_mode & 07777U, .uid = info.st_uid, .gid = info.st_gid};
}

void ChangeSet::write(const fs::path& path, std::string content, mode_t mode) {
  // A link stays a link: what it leads to is changed.
  const fs::path target = fs::exists(path) ? fs::canonical(path) : path;
  std::optional<FileState> before = file_state(target);
  FileState after = before.value_or(FileState{});
  after.content = std::move(content);
  if (mode != 0) after.mode = mode;
  if (before == after) return;
  changes_.push_back({.path = target, .before = std::move(before), .after = std::move(after)});
}

void ChangeSet::write_counted(const fs::path& path, std::string content) {
  const size_t before = changes_.size();
  write(path, std::move(content), 0644);
  if (changes_.size() > before) changes_.back().is_counted = true;
}

void ChangeSet::add(FileChange change) { changes_.push_back(std::move(change)); }

bool ChangeSet::touches(const fs::path& path) const {
  const fs::path target = fs::exists(path) ? fs::canonical(path) : path;
  return std::any_of(changes_.begin(), changes_.end(),
                     [&](const auto& change) { return change.path == target; });
}

std::string ChangeSet::diff() const {
  std::string text;
  for (const auto& [directory, files] : counted(changes_))
    text += fmt::format("{} {}/  ({})\n", files.any_stays ? "+++" : "---", directory.string(),
                        count_text(files.number, "file"));
  for (const auto& change : changes_) {
    if (change.is_counted) continue;
    if (is_secret(change.after) || is_secret(change.before))
      text += fmt::format("--- {0}\n+++ {0}  (for root alone: not shown)\n", change.path.string());
    else if (is_text(change.before) && is_text(change.after))
      text += text_diff(change);
    else
      text += fmt::format("--- {0}  ({1})\n+++ {0}  ({2})\n", change.path.string(), describe(change.before),
                          describe(change.after));
  }
  return text;
}

std::vector<std::string> ChangeSet::names() const {
  std::vector<std::string> names;
  for (const auto& change : changes_)
    if (!change.is_counted) names.push_back(change.path.string());
  for (const auto& [directory, files] : counted(changes_))
    names.push_back(fmt::format("{}/ ({})", directory.string(), count_text(files.number, "file")));
  return names;
}

ChangeRecord::ChangeRecord(fs::path directory) : directory_(std::move(directory)) {
  const fs::path file = directory_ / "installation.json";
  if (!fs::exists(file)) {
    // One who was killed before the record was there, or after it had gone, leaves its directory.
    if (fs::exists(directory_)) made_directories_ = directories_only_for(directory_);
    return;
  }
  in_context(fmt::format("reading {}", file.string()), [&] {
    const json record = parse_json(read_file(file), file.string(), {.bytes = 64 << 20});
    for (const auto& [path, entry] : record.at("files").items()) {
      Original original{.state = {},
                        .installed_sha256 = entry.at("installed_sha256"),
                        .replaced_sha256 = entry.value("replaced_sha256", ""),
                        .is_counted = entry.value("counted", false)};
      if (const json& before = entry.at("before"); !before.is_null())
        original.state = FileState{.content = read_file(directory_ / "originals" / hash_of(path)),
                                   .mode = before.at("mode"),
                                   .uid = before.at("uid"),
                                   .gid = before.at("gid")};
      originals_[path] = std::move(original);
    }
    for (const auto& path : record.at("directories")) made_directories_.emplace_back(path.get<std::string>());
    unfinished_ = record.value("unfinished", false);
  });
}

bool ChangeRecord::Original::is_ours(const FileState& now) const {
  const std::string hash = hash_of(now.content);
  return hash == installed_sha256 || hash == replaced_sha256;
}

void ChangeRecord::save() const {
  fs::create_directories(directory_ / "originals");
  json record = {{"files", json::object()}, {"directories", json::array()}, {"unfinished", unfinished_}};
  for (const auto& [path, original] : originals_) {
    if (original.state)
      write_file_synced(directory_ / "originals" / hash_of(path.string()), original.state->content, 0600);
    json& entry = record["files"][path.string()];
    entry = {{"before", to_json(original.state)},
             {"installed_sha256", original.installed_sha256},
             {"counted", original.is_counted}};
    if (!original.replaced_sha256.empty()) entry["replaced_sha256"] = original.replaced_sha256;
  }
  for (const auto& path : made_directories_) record["directories"].push_back(path.string());
  write_file_synced(directory_ / "installation.json", record.dump(2) + "\n", 0600);
}

void ChangeRecord::begin(const ChangeSet& set) {
  unfinished_ = true;
  for (const auto& missing : missing_directories(directory_)) made_directories_.push_back(missing);
  for (const auto& change : set.changes()) {
    Original& original =
        originals_.try_emplace(change.path, Original{.state = change.before, .is_counted = change.is_counted})
            .first->second;
    // Of a file that an unfinished set has not come to, what is there is what it was to replace.
    original.replaced_sha256 =
        change.before && original.is_ours(*change.before) ? hash_of(change.before->content) : "";
    original.installed_sha256 = change.after ? hash_of(change.after->content) : "";
    for (const auto& missing : missing_directories(change.path.parent_path()))
      if (std::find(made_directories_.begin(), made_directories_.end(), missing) == made_directories_.end())
        made_directories_.push_back(missing);
  }
  save();
}

void ChangeRecord::finish() {
  if (!unfinished_) return;
  unfinished_ = false;
  for (auto& [path, original] : originals_) original.replaced_sha256.clear();
  save();
}

void ChangeRecord::apply(const ChangeSet& set) {
  if (set.empty()) return;
  const ChangeRecord before = *this;
  std::deque<StagedFile> staged;
  try {
    begin(set);
    for (const auto& change : set.changes()) {
      fs::create_directories(change.path.parent_path());
      staged.emplace_back(change);
    }
  } catch (...) {
    staged.clear();
    take_back(before);
    throw;
  }
  size_t done = 0;
  try {
    for (; done < staged.size(); ++done) staged[done].put();
  } catch (...) {
    staged.clear();  // what one of them has beside its name would keep its directory
    bool all_back = true;
    while (done-- > 0) try {
        const FileChange& change = set.changes()[done];
        StagedFile({.path = change.path, .before = change.after, .after = change.before}).put();
      } catch (const Error& error) {
        all_back = false;
        log::error("{} is the new one, for it could not be taken back: {}. flox node uninstall restores it",
                   set.changes()[done].path.string(), error.what());
      }
    if (all_back) take_back(before);
    throw;
  }
}

void ChangeRecord::take_back(const ChangeRecord& before) {
  const std::vector<fs::path> made = std::move(made_directories_);
  *this = before;
  try {
    if (before.empty()) {
      remove_tree(directory_);
    } else {
      save();
    }
  } catch (const std::exception& error) {
    // What it says of files is true of those of before, too: the next installation or uninstall ends it.
    log::warning("the record of the installation stays an unfinished one: {}", message_of(error));
  }
  for (auto directory = made.rbegin(); directory != made.rend(); ++directory) {
    std::error_code in_use;
    if (std::find(made_directories_.begin(), made_directories_.end(), *directory) == made_directories_.end())
      fs::remove(*directory, in_use);
  }
}

ChangeSet ChangeRecord::reversion(const UndoEdits& undo_edits, bool force) const {
  ChangeSet set;
  for (const auto& [path, original] : originals_) {
    const std::optional<FileState> now = file_state(path);
    if (!now || now == original.state)
      continue;  // removed by others, or not written yet when the installation ended
    FileChange change{
        .path = path, .before = now, .after = original.state, .is_counted = original.is_counted};
    if (!original.is_ours(*now) && !force) {
      change.after = now;
      change.after->content = undo_edits(now->content);
      if (change.after == now)
        throw Error(ErrorKind::conflict,
                    fmt::format("{} has been changed since flox node install wrote it", path.string()),
                    "Read it. --force restores what it was before the installation.");
    }
    set.add(std::move(change));
  }
  return set;
}

void ChangeRecord::revert(const UndoEdits& undo_edits, bool force) {
  const ChangeSet set = reversion(undo_edits, force);
  std::deque<StagedFile> staged;
  for (const auto& change : set.changes()) staged.emplace_back(change);
  for (StagedFile& file : staged) file.put();
  // An installation that was killed may have been about to rename a file.
  for (const auto& [path, original] : originals_)
    if (fs::exists(path.parent_path()))
      remove_left_beside(Directory(open_file(path.parent_path(), O_RDONLY | O_DIRECTORY), path.parent_path()),
                         path.filename());
}

void ChangeRecord::forget() {
  originals_.clear();
  if (fs::exists(directory_ / "installation.json")) save();  // what is left to do: the directories
  const auto holds_record = [&](const fs::path& made) {
    return std::mismatch(made.begin(), made.end(), directory_.begin(), directory_.end()).first == made.end();
  };
  const auto remove_empty = [](const fs::path& directory) {
    std::error_code in_use;  // others have put something there: it stays
    fs::remove(directory, in_use);
  };
  const std::vector<fs::path> innermost_first(made_directories_.rbegin(), made_directories_.rend());
  for (const fs::path& made : innermost_first)
    if (!holds_record(made)) remove_empty(made);
  remove_tree(directory_);
  for (const fs::path& made : innermost_first)
    if (holds_record(made)) remove_empty(made);
  made_directories_.clear();
  unfinished_ = false;
}

std::vector<fs::path> ChangeRecord::paths() const {
  std::vector<fs::path> paths;
  for (const auto& [path, original] : originals_) paths.push_back(path);
  return paths;
}

ChangeLock::ChangeLock(const fs::path& root, const std::function<void()>& on_wait)
    : directory_(open_file(root, O_RDONLY | O_DIRECTORY)) {
  int how = LOCK_EX | LOCK_NB;
  while (::flock(directory_.get(), how) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) fail_errno(errno, "locking {}", root.string());
    on_wait();
    how = LOCK_EX;
  }
}

}  // namespace flox::node
