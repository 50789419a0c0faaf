#include "package/build/build.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstring>
#include <set>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "package/build/build_command.h"
#include "package/debian/import_deb.h"
#include "package/debian/relocate_tree.h"
#include "package/debian/relocation.h"

namespace flox::package {
namespace {

constexpr size_t max_built_file = size_t{4} << 30;  // bytes

// The directory that $out names, empty and held by this process until the object goes, then removed. Its name
// is the same for equal builds; a second one waits for the first.
class OutDirectory {
 public:
  OutDirectory(const std::string& placeholder, const std::string& name)
      : path_(fmt::format("/tmp/store_{}-{}", placeholder, name)) {
    in_context("making $out at " + path_.string(), [&] {
      while (!hold()) continue;     // whoever held it before has removed it
      const Directory left(path_);  // by a build that was killed
      for (const std::string& entry : left.names()) left.remove(entry);
      if (::fchmod(lock_.get(), 0755) != 0) fail_errno(errno, "setting its mode");
    });
  }
  ~OutDirectory() {
    try {
      remove_tree(path_);
    } catch (const std::exception&) {  // the next build of the same takes it over
    }
  }
  const fs::path& path() const noexcept { return path_; }

 private:
  bool hold() {
    if (::mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST) fail_errno(errno, "making it");
    lock_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!lock_ && errno == ENOENT) return false;
    struct stat held {
    }, there{};
    if (!lock_ || ::fstat(lock_.get(), &held) != 0 || held.st_uid != ::geteuid())
      fail(ErrorKind::conflict, "it belongs to another user, and the build needs this directory");
    while (::flock(lock_.get(), LOCK_EX) != 0)
      if (errno != EINTR) fail_errno(errno, "locking it");
    return ::lstat(path_.c_str(), &there) == 0 && there.st_ino == held.st_ino && there.st_dev == held.st_dev;
  }

  fs::path path_;
  Fd lock_;
};

void check_name(const std::string& what, const std::string& text) {
  bool good = !text.empty() && text.size() <= 128 && text[0] != '.' && text[0] != '-';
  for (unsigned char c : text) good = good && (std::isalnum(c) != 0 || std::strchr("+-._?=", c) != nullptr);
  if (!good)
    fail(ErrorKind::invalid_input,
         "{} '{}' cannot be part of a store path: use letters, digits and +-._?=, not first '.' or '-'", what,
         text);
}

std::string trimmed(const std::string& text) {
  size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// The last lines of the log, as the end of an error message.
std::string last_lines(const fs::path& log, size_t count) {
  std::string text = trimmed(read_file(log));
  if (text.empty()) return "; it printed nothing";
  size_t begin = text.size();
  for (; count > 0 && begin != std::string::npos; --count)
    begin = begin == 0 ? std::string::npos : text.rfind('\n', begin - 1);
  return fmt::format("; the last lines of its output were:\n{}",
                     begin == std::string::npos ? text : text.substr(begin + 1));
}

CommandSetting setting(const store::LocalStore& store, const BuildRequest& request) {
  return {.environment = request.environment,
          .directory = request.project,
          .store_root = request.packages.empty() ? fs::path() : store.root()};
}

std::string version_of(const store::LocalStore& store, const BuildRequest& request) {
  const auto& source = request.descriptor.version_source;
  std::string version = request.descriptor.version;
  if (source.is_object() && source.contains("file")) {
    version = trimmed(read_file(request.project / string_member(source, "file", "version")));
  } else if (source.is_object() && source.contains("command")) {
    TempDir work("flox-version-");
    fs::path output = work.path() / "output";
    int code =
        run_build_command(string_member(source, "command", "version"), setting(store, request), output);
    if (code != 0)
      fail(ErrorKind::invalid_input, "its version command failed with exit code {}{}", code,
           last_lines(output, 5));
    version = trimmed(read_file(output));
  }
  if (version.empty())
    throw Error(ErrorKind::invalid_input, "it has no version",
                fmt::format("Add one to the manifest: [build.{}] version = \"1.0.0\", or {{ file = "
                            "\"VERSION\" }}, or {{ command = \"…\" }}.",
                            request.name));
  check_name("version", version);
  return version;
}

// Replaces `from` by `to`, of the same length, in files and links.
void replace_in_tree(const fs::path& tree, const std::string& from, const std::string& to) {
  const Directory root(tree);
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    bool is_link = entry.symlink_status().type() == fs::file_type::symlink;
    if (!is_link && entry.symlink_status().type() != fs::file_type::regular) continue;
    const std::string place = entry.path().lexically_relative(tree).string();
    std::string text = is_link ? root.read_link(place) : root.read_file(place, max_built_file);
    bool changed = false;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
      changed = true;
    }
    if (!changed) continue;
    if (is_link) {
      root.remove(place);
      root.make_link(place, text);
    } else {
      root.write_file(place, text, static_cast<unsigned>(entry.symlink_status().permissions()) & 0777);
    }
  }
}

void check_output(const fs::path& out) {
  static constexpr const char* advice =
      "Put what is to be installed below it, for example: mkdir -p $out/bin && cp PROGRAM $out/bin/";
  auto type = fs::symlink_status(out).type();
  if (type == fs::file_type::not_found)
    throw Error(ErrorKind::invalid_input, "the command removed $out", advice);
  if (type != fs::file_type::directory)
    throw Error(ErrorKind::invalid_input, "the command made $out something other than a directory", advice);
  for (const auto& entry : fs::recursive_directory_iterator(out))
    if (entry.symlink_status().type() != fs::file_type::directory) return;
  throw Error(ErrorKind::invalid_input, "the command succeeded but left nothing in $out", advice);
}

void run_command(const store::LocalStore& store, const BuildRequest& request, const fs::path& out) {
  fs::path log = request.project / ("result-" + request.name + ".log");
  CommandSetting command = setting(store, request);
  command.environment["out"] = out.string();
  command.environment.emplace("SOURCE_DATE_EPOCH", "315532800");  // 1980, the earliest that zip files can say
  int code = run_build_command(request.descriptor.command, command, log);
  if (code != 0)
    throw Error(ErrorKind::invalid_input,
                fmt::format("its command failed with exit code {}{}", code, last_lines(log, 15)),
                fmt::format("All of its output is in {}.", log.string()));
}

// References to packages that are there to build with only.
void check_references(const store::LocalStore& store, const BuildRequest& request,
                      const nix::PathInfo& info) {
  if (request.runtime_packages.empty()) return;
  auto allowed = store.closure(request.runtime_packages);
  auto all = store.closure({request.packages.begin(), request.packages.end()});
  for (const auto& reference : info.references)
    if (all.contains(reference) && !allowed.contains(reference))
      throw Error(
          ErrorKind::invalid_input,
          fmt::format("the result refers to {}, which is not one of its runtime-packages",
                      reference.to_string()),
          "Add the package to runtime-packages, or keep the build from writing its path into the result.");
}

}  // namespace

catalog::PackageBuild build_package(store::LocalStore& store, const BuildRequest& request) {
  return in_context("building " + request.name, [&] {
    check_name("name", request.name);
    std::string version = version_of(store, request);
    std::string name = request.name + "-" + version;
    std::string placeholder = placeholder_digest("build " + name);
    OutDirectory out(placeholder, name);
    run_command(store, request, out.path());
    check_output(out.path());

    std::string own_path = fmt::format("{}/{}-{}", nix::store_dir, placeholder, name);
    replace_in_tree(out.path(), out.path().string(), own_path);
    nix::StorePathSet packages(request.packages.begin(), request.packages.end());
    nix::PathInfo info = relocate_tree(store, out.path(), name,
                                       {.debian = request.debian,
                                        .packages = request.packages,
                                        .candidates = store.closure(packages),
                                        .placeholder = placeholder,
                                        .origins = {own_path}});
    check_references(store, request, info);
    catalog::PackageBuild result;
    result.name = request.name;
    result.version = version;
    result.system = system_of_this_machine();
    result.description = request.descriptor.description;
    result.outputs.emplace("out", info.path);
    result.closure_size = store.closure_size(store.closure({info.path}));
    return result;
  });
}

void leave_result(const store::LocalStore& store, const fs::path& project,
                  const catalog::PackageBuild& build) {
  fs::path link = project / ("result-" + build.name);
  const nix::StorePath& path = build.outputs.at("out");
  auto type = fs::symlink_status(link).type();
  if (type != fs::file_type::not_found && type != fs::file_type::symlink)
    fail(ErrorKind::conflict, "{} is in the way of the link to the result", link.string());
  auto replace_link = [](const fs::path& target, const fs::path& at) {
    TempDir work(".result-", at.parent_path());
    fs::create_symlink(target, work.path() / "link");
    fs::rename(work.path() / "link", at);
  };
  replace_link(store.real_path(path), link);
  // An indirect root, as Nix has them: it holds as long as the link does.
  fs::path roots = store.state_directory() / "gcroots/auto";
  fs::create_directories(roots);
  replace_link(link, roots / to_hex(bytes_of(sha256(link.string()))).substr(0, 32));
  write_file(project / ("result-" + build.name + ".json"), build.to_json().dump(2) + "\n");
}

std::vector<std::string> differences(const store::LocalStore& store, const nix::StorePath& a,
                                     const nix::StorePath& b) {
  std::set<std::string> places;
  for (const auto& path : {a, b})
    for (const auto& entry : fs::recursive_directory_iterator(store.real_path(path)))
      places.insert(entry.path().lexically_relative(store.real_path(path)).string());
  auto describe = [](const fs::path& path, const std::string& own) -> std::string {
    auto status = fs::symlink_status(path);
    std::string text;
    if (status.type() == fs::file_type::symlink)
      text = "link " + fs::read_symlink(path).string();
    else if (status.type() == fs::file_type::directory)
      text = "directory";
    else if (status.type() == fs::file_type::not_found)
      text = "missing";
    else
      text = ((status.permissions() & fs::perms::owner_exec) != fs::perms::none ? "program " : "file ") +
             read_file(path, max_built_file);
    for (size_t at; (at = text.find(own)) != std::string::npos;)
      text.erase(at, own.size());  // differs by nature
    return text;
  };
  std::vector<std::string> result;
  for (const auto& place : places)
    if (describe(store.real_path(a) / place, std::string(a.digest())) !=
        describe(store.real_path(b) / place, std::string(b.digest())))
      result.push_back(place);
  return result;
}

}  // namespace flox::package
