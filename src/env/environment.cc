#include "env/environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/printable.h"

namespace flox::env {
namespace {

using nlohmann::json;

constexpr size_t max_manifest = 4 << 20;  // bytes

// A file of an environment, which may have come with somebody's repository: no device, no end of it.
std::string read_bounded(const fs::path& path, size_t limit) {
  return in_context("reading " + path.string(), [&] {
    const Fd fd = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining it");
    if (!S_ISREG(status.st_mode)) fail(ErrorKind::invalid_input, "it is not a regular file");
    std::string content;
    std::string piece(64 << 10, '\0');
    while (const size_t count = read_some(fd.get(), piece.data(), piece.size())) {
      content.append(piece, 0, count);
      if (content.size() > limit) fail(ErrorKind::invalid_input, "it has more than {} bytes", limit);
    }
    return content;
  });
}

// What an environment writes stays below its .flox, which may have come with somebody's repository: the
// directory itself may be a link to another place of the user's, what is in it leads nowhere else.
Directory files_of(const fs::path& dir) { return Directory(fs::canonical(dir / ".flox")); }

bool has_environment(const fs::path& dir) {
  std::error_code error;
  return fs::is_regular_file(dir / ".flox/env.json", error) ||
         fs::is_regular_file(dir / ".flox/env/manifest.toml", error);
}

// Does the locked package still answer the descriptor? Priority and systems do not matter
// (docs/formats/manifest.md).
bool answers(const LockedPackage& package, const json& old_manifest, std::string_view id,
             const json& wanted) {
  const auto installed = old_manifest.find("install");
  if (installed == old_manifest.end() || !installed->is_object() || !wanted.is_object()) return false;
  const json old = installed->value(std::string(id), json());
  if (!old.is_object()) return false;
  auto same = [&](const char* key) { return old.value(key, json()) == wanted.value(key, json()); };
  return package.install_id == id && same("pkg-path") && same("version") && same("pkg-group") &&
         same("store-path");
}

LockedPackage store_path_package(std::string_view id, const InstallDescriptor& descriptor,
                                 std::string_view system) {
  json entry = {{"install_id", id},
                {"store_path", *descriptor.store_path},
                {"system", system},
                {"priority", descriptor.priority}};
  return LockedPackage::from_json(std::move(entry));
}

Lockfile resolve_all(const Manifest& manifest, const std::optional<Lockfile>& old, Resolver& resolver) {
  Lockfile lock{.manifest = manifest.json};
  std::vector<std::string> systems =
      manifest.systems.empty() ? std::vector{current_system()} : manifest.systems;
  for (const auto& [id, descriptor] : manifest.install) {
    const auto& wanted = descriptor.systems.empty() ? systems : descriptor.systems;
    for (const auto& system : wanted) {
      const json& json_descriptor = manifest.json["install"][id];
      auto kept = !old ? nullptr : [&]() -> const LockedPackage* {
        for (const auto& package : old->packages)
          if (package.system == system && answers(package, old->manifest, id, json_descriptor))
            return &package;
        return nullptr;
      }();
      LockedPackage package = kept != nullptr         ? *kept
                              : descriptor.store_path ? store_path_package(id, descriptor, system)
                                                      : resolver.resolve(id, descriptor, system);
      package.priority = descriptor.priority;
      package.json["priority"] = descriptor.priority;
      lock.packages.push_back(std::move(package));
    }
  }
  return lock;
}

}  // namespace

Environment Environment::init(const fs::path& dir, std::string_view name) {
  if (!is_file_name(name) || name.find(' ') != std::string_view::npos || printable(name) != name)
    fail(ErrorKind::invalid_input, "'{}' cannot name an environment: no spaces, no slashes", name);
  if (fs::exists(dir / ".flox"))
    throw Error(ErrorKind::conflict, fmt::format("{} has an environment already", dir.string()),
                "Use it, or remove its .flox directory first.");
  fs::create_directories(dir);
  // Made beside and renamed, so that a half-made environment is never seen.
  TempDir temporary(".flox-", dir);
  const Directory made(temporary.path());
  made.make_directory("env").write_file("manifest.toml", initial_manifest());
  made.write_file("env.json", json{{"name", name}, {"version", 1}}.dump(2) + "\n");
  made.write_file(".gitignore", "run/\ncache/\nlib/\nlog/\n!env/\n");
  made.write_file(".gitattributes", "env/manifest.lock linguist-generated=true linguist-language=JSON\n");
  if (::fchmod(made.fd(), 0755) != 0) fail_errno(errno, "setting the mode of {}", made.name());
  fs::rename(temporary.path(), dir / ".flox");
  temporary.release();
  return open(dir);
}

Environment Environment::open(const fs::path& dir) {
  if (!has_environment(dir))
    throw Error(ErrorKind::not_found, fmt::format("no environment in {}", dir.string()),
                "Run 'flox init' there to make one.");
  std::string name = fs::canonical(dir).filename().string();
  if (fs::exists(dir / ".flox/env.json")) {
    const std::string file = (dir / ".flox/env.json").string();
    const json pointer =
        parse_json(read_bounded(file, 64 << 10), file, {.bytes = 64 << 10, .depth = 16, .values = 1000});
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
  if (has_environment(dir)) return open(dir);
  fs::path above;
  for (fs::path up = dir; up.has_relative_path(); up = up.parent_path()) {
    if (above.empty() && has_environment(up)) above = up;
    if (!above.empty() && fs::exists(up / ".git")) return open(above);
  }
  std::vector<fs::path> below;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, fs::directory_options::skip_permission_denied, error))
    if (entry.is_directory(error) && has_environment(entry.path())) below.push_back(entry.path());
  if (below.size() == 1) {
    if (found_below != nullptr) *found_below = true;
    return open(below[0]);
  }
  if (below.size() > 1) {
    std::ranges::sort(below);
    std::vector<std::string> names;
    for (const auto& path : below) names.push_back(path.filename().string());
    throw Error(ErrorKind::not_found,
                fmt::format("no environment in {}, and several directly below it: {}", dir.string(),
                            fmt::join(names, ", ")),
                "Pass the directory of one with -d DIR.");
  }
  throw Error(ErrorKind::not_found, fmt::format("no environment in {}", dir.string()),
              "Run 'flox init' there to make one.");
}

std::string Environment::manifest_text() const {
  return read_bounded(directory_ / ".flox/env/manifest.toml", max_manifest);
}
Manifest Environment::manifest() const {
  return Manifest::parse(manifest_text(), (directory_ / ".flox/env/manifest.toml").string());
}

std::optional<Lockfile> Environment::lockfile() const {
  fs::path path = directory_ / ".flox/env/manifest.lock";
  if (!fs::exists(path)) return std::nullopt;
  return Lockfile::parse(read_bounded(path, Lockfile::file_limits.bytes), path.string());
}

Lockfile Environment::lock(Resolver& resolver) {
  Manifest wanted = manifest();
  std::optional<Lockfile> old = lockfile();
  if (old && old->manifest == wanted.json) return *old;
  Lockfile lock = resolve_all(wanted, old, resolver);
  files_of(directory_).write_file("env/manifest.lock", lock.to_string());
  return lock;
}

Lockfile Environment::edit(const std::string& new_text, Resolver& resolver) {
  Manifest wanted = Manifest::parse(new_text, (directory_ / ".flox/env/manifest.toml").string());
  Lockfile lock = resolve_all(wanted, lockfile(), resolver);
  // The lock first: with an old manifest a new lock is only out of date and made again.
  const Directory files = files_of(directory_);
  files.write_file("env/manifest.lock", lock.to_string());
  files.write_file("env/manifest.toml", new_text);
  return lock;
}

fs::path Environment::run_link(std::string_view system, std::string_view mode) const {
  return directory_ / ".flox/run" / fmt::format("{}.{}-{}", system, name_, mode);
}

void Environment::set_run_link(std::string_view system, std::string_view mode,
                               const nix::StorePath& profile) const {
  const std::string link = run_link(system, mode).filename().string();
  const Directory run = files_of(directory_).make_directory("run");
  const std::string temporary = link + fmt::format(".{}", ::getpid());
  run.remove(temporary);
  run.make_link(temporary, profile.to_string());
  run.rename(temporary, run, link);
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
