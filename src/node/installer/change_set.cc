#include "node/installer/change_set.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "base/settings/units.h"

namespace flox::node {
namespace {

using json = nlohmann::json;

std::string hash_of(std::string_view content) { return to_hex(bytes_of(sha256(content))); }

// Puts a file into this state; no state: removes it.
void put(const fs::path& path, const std::optional<FileState>& state) {
  if (!state) {
    fs::remove(path);
    return;
  }
  write_file(path, state->content, state->mode);
  // After the ownership, which takes set-user-ID bits away.
  if (::chown(path.c_str(), state->uid, state->gid) != 0 || ::chmod(path.c_str(), state->mode) != 0)
    fail_errno(errno, "setting the owner and mode of {}", path.string());
}

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
  if (!fs::exists(file)) return;
  in_context(fmt::format("reading {}", file.string()), [&] {
    const json record = parse_json(read_file(file), file.string(), {.bytes = 64 << 20});
    for (const auto& [path, entry] : record.at("files").items()) {
      Original original{.state = {},
                        .installed_sha256 = entry.at("installed_sha256"),
                        .is_counted = entry.value("counted", false)};
      if (const json& before = entry.at("before"); !before.is_null())
        original.state = FileState{.content = read_file(directory_ / "originals" / hash_of(path)),
                                   .mode = before.at("mode"),
                                   .uid = before.at("uid"),
                                   .gid = before.at("gid")};
      originals_[path] = std::move(original);
    }
    for (const auto& path : record.at("directories")) made_directories_.emplace_back(path.get<std::string>());
  });
}

void ChangeRecord::save() const {
  fs::create_directories(directory_ / "originals");
  json record = {{"files", json::object()}, {"directories", json::array()}};
  for (const auto& [path, original] : originals_) {
    if (original.state)
      write_file(directory_ / "originals" / hash_of(path.string()), original.state->content, 0600);
    record["files"][path.string()] = {{"before", to_json(original.state)},
                                      {"installed_sha256", original.installed_sha256},
                                      {"counted", original.is_counted}};
  }
  for (const auto& path : made_directories_) record["directories"].push_back(path.string());
  write_file(directory_ / "installation.json", record.dump(2) + "\n", 0600);
}

void ChangeRecord::apply(const ChangeSet& set) {
  if (set.empty()) return;
  for (const auto& missing : missing_directories(directory_)) made_directories_.push_back(missing);
  for (const auto& change : set.changes()) {
    originals_.try_emplace(
        change.path,
        Original{.state = change.before, .installed_sha256 = {}, .is_counted = change.is_counted});
    originals_[change.path].installed_sha256 = change.after ? hash_of(change.after->content) : "";
    for (const auto& missing : missing_directories(change.path.parent_path()))
      if (std::find(made_directories_.begin(), made_directories_.end(), missing) == made_directories_.end())
        made_directories_.push_back(missing);
  }
  save();  // before the first change: whatever happens, it can be taken back
  size_t done = 0;
  try {
    for (const auto& change : set.changes()) {
      fs::create_directories(change.path.parent_path());
      put(change.path, change.after);
      ++done;
    }
  } catch (...) {
    for (size_t i = done; i-- > 0;) put(set.changes()[i].path, set.changes()[i].before);
    throw;
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
    if (hash_of(now->content) != original.installed_sha256 && !force) {
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
  for (const auto& change : set.changes()) put(change.path, change.after);
  remove_tree(directory_ / "originals");
  fs::remove(directory_ / "installation.json");
  for (auto directory = made_directories_.rbegin(); directory != made_directories_.rend(); ++directory) {
    std::error_code in_use;  // others have put something there: it stays
    fs::remove(*directory, in_use);
  }
  originals_.clear();
  made_directories_.clear();
}

std::vector<fs::path> ChangeRecord::paths() const {
  std::vector<fs::path> paths;
  for (const auto& [path, original] : originals_) paths.push_back(path);
  return paths;
}

}  // namespace flox::node
