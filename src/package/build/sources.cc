#include "package/build/sources.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/secret.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/process.h"
#include "base/printable.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_files = 1'000'000;
constexpr size_t longest_url = 1000;                  // bytes
constexpr uint64_t most_copied = uint64_t{64} << 30;  // bytes

// git must neither ask nor write (the index, say), fetch nor run anything, whatever the repository's
// configuration, which may have come with a stranger's sources.
Outcome git(const fs::path& project, std::vector<std::string> arguments) {
  std::vector<std::string> argv{"git", "-c", "core.fsmonitor=false"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  try {
    return run({.argv = std::move(argv),
                .env = {{"GIT_OPTIONAL_LOCKS", "0"},
                        {"GIT_TERMINAL_PROMPT", "0"},
                        {"GIT_ALLOW_PROTOCOL", "none"},
                        {"LC_ALL", "C.UTF-8"}},
                .cwd = project.string(),
                .input = {}});
  } catch (const Error&) {  // there is no git
    return {.exit_code = 127, .out = {}, .err = {}};
  }
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool is_of_flox(std::string_view place) {
  return place.starts_with("result-") || place.starts_with(".flox/run/") ||
         place.starts_with(".flox/cache/") || place.starts_with(".flox/log/");
}

std::vector<std::string> split_zero(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\0'), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

std::vector<std::string> all_files(const fs::path& project) {
  std::vector<std::string> names;
  for (auto entry = fs::recursive_directory_iterator(project); entry != fs::recursive_directory_iterator();
       ++entry) {
    const std::string place = entry->path().lexically_relative(project).string();
    const bool is_directory = entry->symlink_status().type() == fs::file_type::directory;
    if (is_directory && (place == ".git" || is_of_flox(place + "/"))) {
      entry.disable_recursion_pending();
      continue;
    }
    if (!is_directory) names.push_back(place);
    if (names.size() > most_files) fail(ErrorKind::invalid_input, "it has more than {} files", most_files);
  }
  return names;
}

// Of a file's bytes, or of a link's target. Empty for what is neither, or gone.
std::string hash_of(const Directory& project, const std::string& place) {
  const auto status = project.status(place);
  if (!status) return {};
  Sha256 hash;
  if (S_ISLNK(status->st_mode)) {
    hash.update(project.read_link(place));
  } else if (S_ISREG(status->st_mode)) {
    const Fd file = project.open(place, O_RDONLY | O_NONBLOCK);
    std::array<char, 1 << 16> buffer;
    while (const size_t got = read_some(file.get(), buffer.data(), buffer.size()))
      hash.update(std::string_view(buffer.data(), got));
  } else {
    return {};
  }
  return to_hex(bytes_of(hash.finish()));
}

// An editor may remove a file while we look.
std::string hash_if_there(const Directory& project, const std::string& place) {
  try {
    return hash_of(project, place);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return {};
  }
}

// "https://ann:secret@host/x" → "git+https://host/x", "git@host:x" → "git+ssh://host/x", "/x" →
// "git+file:///x".
std::string uri_of(const std::string& remote) {
  if (remote.size() > longest_url) return {};
  if (remote.find("://") != std::string::npos) return "git+" + printable_url(remote);
  if (remote.starts_with('/')) return "git+file://" + printable(remote);
  const size_t colon = remote.find(':');
  if (colon == std::string::npos) return {};
  const std::string host = remote.substr(0, colon);
  return "git+ssh://" + printable(host.substr(host.rfind('@') + 1) + "/" + remote.substr(colon + 1));
}

// Those that git lists; in no work tree, or where git ignores this directory, all.
std::vector<std::string> source_files(const fs::path& project, bool* listed_by_git = nullptr) {
  const Outcome listed = git(project, {"ls-files", "-z", "--cached", "--others", "--exclude-standard"});
  const bool by_git = listed.exit_code == 0 && !listed.out.empty();
  if (listed_by_git != nullptr) *listed_by_git = by_git;
  return by_git ? split_zero(listed.out) : all_files(project);
}

// Whether git sees no change. Looking for that it would run the filters that the repository itself has:
// without them. Those of the user's own configuration count.
bool is_unchanged(const fs::path& project) {
  const Outcome filters =
      git(project, {"config", "--show-scope", "-z", "--name-only", "--get-regexp", "^filter\\."});
  if (filters.exit_code > 1) return false;  // a git that does not tell
  const std::vector<std::string> words = split_zero(filters.out);
  std::vector<std::string> arguments;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {  // where it is from, and its name
    if (words[i] != "local" && words[i] != "worktree") continue;
    if (words[i + 1].find('=') != std::string::npos) return false;  // "-c" would set something else
    arguments.insert(arguments.end(),
                     {"-c", words[i + 1] + (words[i + 1].ends_with(".required") ? "=false" : "=")});
  }
  // In submodules it would run another git, by their configuration.
  for (const char* word :
       {"status", "--porcelain", "-z", "--ignore-submodules=dirty", "--", ".", ":(exclude)result-*"})
    arguments.emplace_back(word);
  const Outcome changed = git(project, std::move(arguments));
  return changed.exit_code == 0 && changed.out.empty();
}

std::string tree_hash(const fs::path& path, std::vector<std::string> names) {
  std::ranges::sort(names);
  const Directory project(path);
  Sha256 lines;
  for (const std::string& place : names)
    if (!is_of_flox(place))
      if (const std::string hash = hash_if_there(project, place); !hash.empty())
        lines.update(fmt::format("{}  {}\n", hash, place));
  return to_hex(bytes_of(lines.finish()));
}

}  // namespace

void copy_sources(const fs::path& project, const fs::path& to) {
  in_context("copying the sources in " + project.string(), [&] {
    const Directory from(project), copy(to);
    uint64_t copied = 0;
    for (const std::string& place : source_files(project)) {
      const auto status = from.status(place);
      if (!status || is_of_flox(place)) continue;
      if (!S_ISREG(status->st_mode) && !S_ISLNK(status->st_mode)) continue;
      in_context(printable(place, 300), [&] {
        if (const std::string parent = fs::path(place).parent_path().string(); !parent.empty())
          copy.make_directory(parent);
        if (S_ISLNK(status->st_mode)) return copy.make_link(place, from.read_link(place));
        const Fd source = from.open(place, O_RDONLY | O_NONBLOCK);
        const Fd target =
            copy.open(place, O_WRONLY | O_CREAT | O_EXCL, (status->st_mode & 0111) != 0 ? 0755 : 0644);
        std::array<char, 1 << 16> buffer;
        while (const size_t got = read_some(source.get(), buffer.data(), buffer.size())) {
          if ((copied += got) > most_copied)
            fail(ErrorKind::invalid_input, "they have more than {} bytes", most_copied);
          write_all(target.get(), std::string_view(buffer.data(), got));
        }
      });
    }
  });
}

trust::BuildInput look_at_sources(const fs::path& project) {
  return in_context("looking at the sources in " + project.string(), [&] {
    trust::BuildInput sources{.name = "source", .uri = {}, .digests = {}, .notes = {}};
    bool listed_by_git = false;
    sources.digests["dirHash1"] = tree_hash(project, source_files(project, &listed_by_git));
    if (!listed_by_git) return sources;
    const Outcome commit = git(project, {"rev-parse", "--verify", "--quiet", "HEAD"});
    if (commit.exit_code == 0) sources.digests["gitCommit"] = first_line(commit.out);
    sources.notes["dirty"] = is_unchanged(project) ? "false" : "true";
    // A password in it is nobody else's business.
    if (const Outcome url = git(project, {"config", "--get", "remote.origin.url"}); url.exit_code == 0) {
      sources.uri = uri_of(first_line(url.out));
    }
    return sources;
  });
}

}  // namespace flox::package
