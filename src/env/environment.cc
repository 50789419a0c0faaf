#include "env/environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/replaced_link.h"
#include "base/printable.h"
#include "env/environment_files.h"
#include "env/lock_text.h"
#include "env/removal.h"
#include "env/renaming.h"

namespace flox::env {
namespace {

using nlohmann::json;

// What an environment writes stays below its .flox, which may have come with somebody's repository: the
// directory itself may be a link to another place of the user's, what is in it leads nowhere else.
Directory files_of(const fs::path& dir) { return Directory(fs::canonical(dir / ".flox")); }

bool has_environment(const fs::path& dir) {
  std::error_code error;
  return fs::is_regular_file(dir / ".flox/env.json", error) ||
         fs::is_regular_file(dir / ".flox/env/manifest.toml", error);
}

constexpr size_t max_pointer = 64 << 10;  // bytes

std::optional<Lockfile> parsed_lock(const EnvironmentFiles& files, const fs::path& dir) {
  if (!files.lock) return std::nullopt;
  return Lockfile::parse(*files.lock, (dir / ".flox/env/manifest.lock").string());
}

// Nothing for a manifest that is damaged, which an edit may mend.
std::optional<Manifest> parsed_if_good(const std::string& text, const std::string& path) {
  try {
    return Manifest::parse(text, path);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// As a person would write it: absolute, without ".", ".." and a slash at the end.
fs::path plain_path(const fs::path& dir) {
  std::error_code error;
  const fs::path plain = fs::absolute(dir, error).lexically_normal();
  if (error) return dir;
  return plain.has_filename() ? plain : plain.parent_path();
}

// Made beside and renamed, so that a half-made environment is never seen.
void make_environment(const fs::path& dir, std::string_view name, const EnvironmentFiles& files) {
  check_name_of_environment(name);
  if (fs::exists(dir / ".flox"))
    throw Error(ErrorKind::conflict, fmt::format("{} has an environment already", plain_path(dir).string()),
                "Use it, or remove it first: 'flox delete'.");
  fs::create_directories(dir);
  finish_removal(dir);
  TempDir temporary(".flox-", dir);
  const Directory made(temporary.path());
  const Directory env = made.make_directory("env");
  env.write_file("manifest.toml", files.manifest);
  if (files.lock) env.write_file("manifest.lock", *files.lock);
  if (files.origin) env.write_file("origin.json", *files.origin);
  made.write_file("env.json", json{{"name", name}, {"version", 1}}.dump(2) + "\n");
  made.write_file(".gitignore", "run/\ncache/\nlib/\nlog/\n!env/\n");
  made.write_file(".gitattributes", "env/manifest.lock linguist-generated=true linguist-language=JSON\n");
  if (::fchmod(made.fd(), 0755) != 0) fail_errno(errno, "setting the mode of {}", made.name());
  // Without replacing what somebody else has made meanwhile.
  if (::renameat2(AT_FDCWD, temporary.path().c_str(), AT_FDCWD, (dir / ".flox").c_str(), RENAME_NOREPLACE) !=
      0)
    fail_errno(errno, "making {}", (dir / ".flox").string());
  temporary.release();
}

// A lock that only its layout makes too large to be read again is written without one.
EnvironmentFiles files_for(const Checkout& content, const std::string& old_lock) {
  std::string lock = lock_text(content.lock, old_lock);
  if (lock.size() > Lockfile::file_limits.bytes) lock = content.lock.to_compact_string();
  if (lock.size() > Lockfile::file_limits.bytes)
    fail(ErrorKind::invalid_input, "the lock has more than {} bytes", Lockfile::file_limits.bytes);
  EnvironmentFiles files{.manifest = content.manifest, .lock = std::move(lock), .origin = {}};
  if (content.origin) files.origin = content.origin->to_string();
  return files;
}

// Whose files may decide what runs as this user.
bool is_ours(uid_t user) { return user == ::geteuid() || user == 0; }

// Whether the environment in `place` may be used though nobody has named it: it is this user's, root's, or of
// the user who owns the directory that was entered. In a directory like /tmp everybody can make one; in one
// that its owner alone can write to, whatever is there is the owner's doing.
bool may_be_found(const fs::path& entered, const fs::path& place) {
  struct stat top {};
  struct stat own {};
  struct stat link {};
  struct stat files {};
  if (::stat(entered.c_str(), &top) != 0 || ::lstat(place.c_str(), &own) != 0 ||
      ::lstat((place / ".flox").c_str(), &link) != 0 || ::stat((place / ".flox").c_str(), &files) != 0)
    return false;
  if (place == entered && (top.st_mode & (S_IWGRP | S_IWOTH)) == 0) return true;
  return std::ranges::all_of(std::array{own.st_uid, link.st_uid, files.st_uid},
                             [&](uid_t user) { return is_ours(user) || user == top.st_uid; });
}

// The nearest directory above `dir` that has an environment, up to the one that has .git, on the same file
// system. Nothing beyond a directory of another user's is looked at, and an environment of another user's is
// refused: whoever can make a directory or a link above this one would run hooks as this user.
std::optional<fs::path> environment_above(const fs::path& dir) {
  struct stat start {};
  if (::stat(dir.c_str(), &start) != 0) return std::nullopt;
  std::optional<fs::path> found;
  for (fs::path up = dir;; up = up.parent_path()) {
    struct stat status {};
    if (::stat(up.c_str(), &status) != 0 || status.st_dev != start.st_dev) return std::nullopt;
    if (!found && up != dir && has_environment(up)) {
      struct stat link {};
      struct stat files {};
      if (::lstat((up / ".flox").c_str(), &link) != 0 || ::stat((up / ".flox").c_str(), &files) != 0)
        return std::nullopt;
      if (!is_ours(status.st_uid) || !is_ours(link.st_uid) || !is_ours(files.st_uid))
        throw Error(ErrorKind::untrusted,
                    fmt::format("the environment above {}, in {}, belongs to another user",
                                plain_path(dir).string(), plain_path(up).string()),
                    fmt::format("Name it with -d {} if you trust it.", plain_path(up).string()));
      found = up;
    }
    if (fs::exists(up / ".git")) return found;
    if (!is_ours(status.st_uid) || !up.has_relative_path()) return std::nullopt;
  }
}

}  // namespace

std::string name_of_directory(const fs::path& dir) {
  std::string name = plain_path(dir).filename().string();
  std::ranges::replace(name, ' ', '-');
  return name;
}

Environment Environment::init(const fs::path& dir, std::string_view name) {
  make_environment(dir, name, {.manifest = initial_manifest(), .lock = {}, .origin = {}});
  return open(dir);
}

Environment Environment::init(const fs::path& dir, std::string_view name, const Checkout& content) {
  (void)Manifest::parse(content.manifest, "manifest.toml");
  make_environment(dir, name, files_for(content, ""));
  return open(dir);
}

Environment Environment::open(const fs::path& dir) {
  if (!has_environment(dir))
    throw Error(ErrorKind::not_found, fmt::format("no environment in {}", plain_path(dir).string()),
                "Run 'flox init' there to make one.");
  std::string name = fs::canonical(dir).filename().string();
  if (fs::exists(dir / ".flox/env.json")) {
    const std::string file = (dir / ".flox/env.json").string();
    const json pointer = parse_json(read_environment_file(file, max_pointer), file,
                                    {.bytes = max_pointer, .depth = 16, .values = 1000});
    name = string_member(pointer, "name", file);
    // It becomes part of the names of links in .flox/run.
    if (!is_file_name(name) || name.size() > 200 || printable(name) != name)
      fail(ErrorKind::invalid_input, "{}: '{}' cannot name an environment", file, printable(name));
  }
  if (!fs::exists(dir / ".flox/env/manifest.toml"))
    fail(ErrorKind::invalid_input, "the environment in {} is damaged: .flox/env/manifest.toml is missing",
         dir.string());
  return Environment(fs::canonical(dir), std::move(name));
}

Environment Environment::find(const fs::path& start, bool* found_below) {
  if (found_below != nullptr) *found_below = false;
  fs::path dir = fs::absolute(start);
  if (has_environment(dir)) {
    if (!may_be_found(dir, dir))
      throw Error(ErrorKind::untrusted,
                  fmt::format("the environment in {} belongs to another user than the directory",
                              plain_path(dir).string()),
                  fmt::format("Give {} to the owner of the directory, with chown, if you trust it.",
                              plain_path(dir / ".flox").string()));
    return open(dir);
  }
  if (const auto above = environment_above(dir)) return open(*above);
  std::vector<fs::path> below;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, fs::directory_options::skip_permission_denied, error))
    if (entry.is_directory(error) && has_environment(entry.path()) && may_be_found(dir, entry.path()))
      below.push_back(entry.path());
  if (below.size() == 1) {
    if (found_below != nullptr) *found_below = true;
    return open(below[0]);
  }
  if (below.size() > 1) {
    std::ranges::sort(below);
    std::vector<std::string> names;
    for (const auto& path : below) names.push_back(path.filename().string());
    throw Error(ErrorKind::not_found,
                fmt::format("no environment in {}, and several directly below it: {}",
                            plain_path(dir).string(), fmt::join(names, ", ")),
                "Pass the directory of one with -d DIR.");
  }
  throw Error(ErrorKind::not_found, fmt::format("no environment in {}", plain_path(dir).string()),
              "Run 'flox init' there to make one.");
}

std::string Environment::manifest_path() const { return (directory_ / ".flox/env/manifest.toml").string(); }
std::string Environment::manifest_text() const { return read_environment_files(directory_).manifest; }
Manifest Environment::manifest() const { return Manifest::parse(manifest_text(), manifest_path()); }
std::optional<Lockfile> Environment::lockfile() const {
  return parsed_lock(read_environment_files(directory_), directory_);
}

std::optional<Origin> Environment::origin() const {
  const EnvironmentFiles files = read_environment_files(directory_);
  if (!files.origin) return std::nullopt;
  return Origin::parse(*files.origin, (directory_ / ".flox/env/origin.json").string());
}

Lockfile Environment::current_lock(Resolver& resolver, bool* is_written) const {
  const EnvironmentFiles files = read_environment_files(directory_);
  const std::optional<Manifest> wanted = Manifest::parse(files.manifest, manifest_path());
  const std::optional<Lockfile> old = parsed_lock(files, directory_);
  const bool current = old && locks(*old, *wanted);
  if (is_written != nullptr) *is_written = current;
  if (current) return *old;
  const std::optional<Manifest> unknown;  // the one that was locked may be another
  return make_lock({.wanted = *wanted,
                    .old_lock = old,
                    .old_manifest = unknown,
                    .anew = {},
                    .only_system = current_system(),
                    .directory = directory_,
                    .include_anew = {}},
                   resolver);
}

EnvironmentLock Environment::exclusive(const ChangeContext& context) const {
  return EnvironmentLock(files_of(directory_), context.doing, context.waiting);
}

Lockfile Environment::edit(const Change& change, Resolver& resolver, const ChangeContext& context) const {
  const Directory directory = files_of(directory_);
  directory.subdirectory("env");  // a link there is refused before anything is made
  const EnvironmentLock turn = exclusive(context);
  const EnvironmentFiles before = read_environment_files(directory_);
  const std::string text = change(before.manifest);
  const std::string manifest_name = context.manifest_name.empty() ? manifest_path() : context.manifest_name;
  const Manifest wanted = Manifest::parse(text, manifest_name);
  const std::optional<Lockfile> old = parsed_lock(before, directory_);
  const std::optional<Manifest> old_manifest = parsed_if_good(before.manifest, manifest_path());
  Lockfile lock = make_lock({.wanted = wanted,
                             .old_lock = old,
                             .old_manifest = old_manifest,
                             .anew = context.anew,
                             .only_system = {},
                             .directory = directory_,
                             .include_anew = context.include_anew,
                             .is_typed = context.is_typed},
                            resolver);
  if (context.prepare) context.prepare(lock);
  const bool same_lock = old && lock.to_compact_string() == old->to_compact_string();
  const EnvironmentFiles after{.manifest = text,
                               .lock = same_lock ? before.lock : lock_text(lock, before.lock.value_or("")),
                               .origin = before.origin};
  if (after.lock->size() > Lockfile::file_limits.bytes)
    fail(ErrorKind::invalid_input, "changing the environment in {}: its lock would have more than {} bytes",
         directory_.string(), Lockfile::file_limits.bytes);
  if (context.only_try || after == before) return lock;
  replace(directory, before, after);
  return lock;
}

void Environment::replace(const Directory& directory, const EnvironmentFiles& before,
                          const EnvironmentFiles& after) const {
  // An editor does not know of the lock.
  if (read_environment_files(directory_) != before)
    throw Error(ErrorKind::conflict,
                fmt::format("changing the environment in {}: somebody else has written its files meanwhile",
                            directory_.string()),
                "Nothing was changed. Run the command again.");
  replace_environment_files(directory, after);
}

void Environment::check_out(const Checkout& generation,
                            const std::function<void(const EnvironmentFiles&)>& allowed,
                            const ChangeContext& context) const {
  (void)Manifest::parse(generation.manifest, manifest_path());
  const Directory directory = files_of(directory_);
  directory.subdirectory("env");
  const EnvironmentLock turn = exclusive(context);
  const EnvironmentFiles before = read_environment_files(directory_);
  allowed(before);
  if (context.prepare) context.prepare(generation.lock);
  EnvironmentFiles after = files_for(generation, before.lock.value_or(""));
  // The same lock keeps its layout.
  if (before.lock && content_digest(before) == content_digest(after)) after.lock = before.lock;
  if (!context.only_try && after != before) replace(directory, before, after);
}

void Environment::set_origin(const Origin& origin, const ChangeContext& context) const {
  const Directory directory = files_of(directory_);
  const EnvironmentLock turn = exclusive(context);
  if (read_environment_files(directory_).origin != origin.to_string())
    replace_origin(directory, origin.to_string());
}

void Environment::remove(const ChangeContext& context) const {
  const fs::path path = directory_ / ".flox";
  std::optional<EnvironmentLock> turn;
  try {
    turn.emplace(exclusive(context));
  } catch (const Error& error) {  // damaged, which is a reason to remove it
    log::debug("removing without the environment's lock: {}", error.what());
  }
  const Directory parent(directory_);
  finish_removal(directory_);
  // A link leads to what others may use as well: it alone goes.
  if (fs::is_symlink(path)) return parent.remove(".flox");
  parent.rename(".flox", parent, removed_directory);
  parent.remove(removed_directory);
}

Lockfile Environment::edit(const std::string& new_text, Resolver& resolver,
                           const ChangeContext& context) const {
  return edit([&](const std::string&) { return new_text; }, resolver, context);
}

Lockfile Environment::lock(Resolver& resolver, const ChangeContext& context) const {
  return edit([](const std::string& text) { return text; }, resolver, context);
}

fs::path Environment::run_link(std::string_view system, std::string_view mode) const {
  return directory_ / ".flox/run" / fmt::format("{}.{}-{}", system, name_, mode);
}

void Environment::set_run_link(std::string_view system, std::string_view mode,
                               const nix::StorePath& profile) const {
  const std::string link = run_link(system, mode).filename().string();
  const Directory run = files_of(directory_).make_directory("run");
  replace_link(run, link, profile.to_string());
}

Lockfile with_primary_version(const Lockfile& lock, std::string_view environment_name,
                              std::string_view version, std::string_view system, Resolver& resolver) {
  std::string_view stem = environment_name;
  if (stem.ends_with("-env")) stem.remove_suffix(4);
  Manifest manifest = Manifest::from_json(lock.manifest);
  std::string primary;
  if (manifest.install.contains(std::string(environment_name)))
    primary = environment_name;
  else if (manifest.install.contains(std::string(stem)))
    primary = stem;
  else if (manifest.install.size() == 1)
    primary = manifest.install.begin()->first;
  if (primary.empty())
    throw Error(ErrorKind::invalid_input,
                fmt::format("FLOX_PACKAGE_VERSION={}: environment {} has no primary package", version,
                            environment_name),
                fmt::format("Name one of its packages '{}', or pin the version in its manifest.", stem));
  InstallDescriptor descriptor = manifest.install.at(primary);
  descriptor.version = version;
  Lockfile pinned = lock;
  for (auto& package : pinned.packages)
    if (package.install_id == primary && package.system == system && package.version != version)
      package = resolver.resolve(primary, descriptor, system);
  pinned.manifest["install"][primary]["version"] = version;
  return pinned;
}

}  // namespace flox::env
