#include "package/build/build.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/replaced_link.h"
#include "base/printable.h"
#include "package/build/access_watch.h"
#include "package/build/accesses.h"
#include "package/build/allowed_paths.h"
#include "package/build/build_command.h"
#include "package/build/build_order.h"
#include "package/build/load_check.h"
#include "package/build/out_directory.h"
#include "package/build/out_paths.h"
#include "package/build/removed_afterwards.h"
#include "package/build/sources.h"
#include "package/debian/relocate_tree.h"
#include "package/debian/relocation.h"
#include "package/imported/imported_package.h"
#include "store/gc/link_root.h"

namespace flox::package {
namespace {

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

// The last lines of what was printed, as the end of an error message.
std::string last_lines(const std::string& printed, size_t count) {
  std::string text = trimmed(printed);
  if (text.empty()) return "; it printed nothing";
  size_t begin = text.size();
  for (; count > 0 && begin != std::string::npos; --count)
    begin = begin == 0 ? std::string::npos : text.rfind('\n', begin - 1);
  return fmt::format("; the last lines of its output were:\n{}",
                     begin == std::string::npos ? text : text.substr(begin + 1));
}

// The end of the log, of which nobody writes any more. By its descriptor: under its name there may be a link
// to a file that is nobody's business, or a fifo.
std::string end_of(int log) {
  constexpr off_t most = 64 << 10;  // bytes
  const off_t size = std::max<off_t>(::lseek(log, 0, SEEK_END), 0);
  std::string text(static_cast<size_t>(std::min(size, most)), '\0');
  text.resize(read_at(log, text.data(), text.size(), static_cast<uint64_t>(size) - text.size()));
  return text;
}

std::string closed_text(int memory, const std::string& what) {
  constexpr off_t most = 64 << 10;  // bytes
  if (::lseek(memory, 0, SEEK_END) > most)
    fail(ErrorKind::invalid_input, "{} has more than {} bytes", what, most);
  ::lseek(memory, 0, SEEK_SET);
  return read_all(memory);
}

// A regular file of the project, which is nobody's fifo; of a build in a root of its own also none that "..",
// a link or a root leads out to: what is read becomes the version, which is published.
std::string read_version_file(const fs::path& project, const std::string& name, bool only_inside) {
  return in_context("its version.file " + printable(name, 300), [&] {
    const Fd file = open_file((project / name).string(), O_RDONLY | O_NONBLOCK);
    const fs::path inside = fs::canonical(project), real = fs::canonical(project / name);
    if (only_inside && std::ranges::mismatch(inside, real).in1 != inside.end())
      fail(ErrorKind::untrusted,
           "it leads out of the project, and what is there the sandbox keeps from the build");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) fail_errno(errno, "examining it");
    if (!S_ISREG(status.st_mode)) fail(ErrorKind::invalid_input, "it is not a file");
    return trimmed(closed_text(file.get(), "it"));
  });
}

// What names are resolved with, of this machine: a build that keeps its network needs them.
constexpr const char* network_settings[] = {"resolv.conf",   "host.conf", "gai.conf",
                                            "nsswitch.conf", "services",  "protocols"};

// What one build needs while it runs.
class Building {
 public:
  Building(store::LocalStore& store, const BuildRequest& request)
      : store_(store),
        request_(request),
        pure_(request.descriptor.sandbox == "pure"),
        enforced_(request.descriptor.sandbox == "enforce"),
        watched_(enforced_ || request.descriptor.sandbox == "warn") {
    if (pure_ || enforced_) prepare_root();
    if (watched_) prepare_watch();
  }

  std::string version() {
    const auto& source = request_.descriptor.version_source;
    std::string version = request_.descriptor.version;
    if (source.is_null()) {
      version = "0.0.0";
    } else if (source.is_object() && source.contains("file")) {
      version = read_version_file(pure_ ? work_->path() / "source" : request_.project,
                                  string_member(source, "file", "version"), pure_ || enforced_);
    } else if (source.is_object() && source.contains("command")) {
      const Fd output(::memfd_create("version", MFD_CLOEXEC));
      if (!output) fail_errno(errno, "running its version command");
      const int code = run(string_member(source, "command", "version"), setting({}), output.get());
      version = trimmed(closed_text(output.get(), "what its version command printed"));
      if (code != 0)
        fail(ErrorKind::invalid_input, "its version command failed with exit code {}{}", code,
             last_lines(version, 5));
    }
    if (version.empty())
      throw Error(ErrorKind::invalid_input, "it has no version",
                  fmt::format("Write one: [build.{}] version = \"1.0.0\", or {{ file = \"VERSION\" }}, or "
                              "{{ command = \"…\" }}.",
                              request_.name));
    check_name("version", version);
    return version;
  }

  void run(const fs::path& out) {
    const std::string log_name = "result-" + request_.name + ".log";
    const fs::path log = request_.project / log_name;
    CommandSetting command = setting(out);
    command.environment["out"] = out.string();
    command.environment.emplace("SOURCE_DATE_EPOCH",
                                "315532800");  // 1980, the earliest that zip files can say
    const Fd output = new_log(log_name);
    const int code = run(with_builds(request_.descriptor.command, request_.builds), command, output.get());
    if (code != 0)
      throw Error(
          ErrorKind::invalid_input,
          fmt::format("its command failed with exit code {}{}", code, last_lines(end_of(output.get()), 15)),
          fmt::format("All of its output is in {}.", log.string()));
  }

  // What the command used or wanted, also if it failed: then that may be why.
  void tell_accesses() {
    const std::string name = "result-" + request_.name + ".accesses.json";
    const Directory project(request_.project);
    if (is_blind_ && request_.on_access)
      request_.on_access(fmt::format(
          "[build.{}] which files of this machine it asked for is not known: the kernel does not tell "
          "of them here (seccomp(2))",
          request_.name));
    if (!watched_ || accesses_.empty()) return project.remove(name);
    accesses_.find_packages([](const std::set<fs::path>& files) { return Debian().owners(files); });
    project.write_file(
        name, accesses_.to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    if (!request_.on_access) return;
    request_.on_access(
        enforced_ ? fmt::format("[build.{}] asked for files of this machine that its sandbox keeps from it:",
                                request_.name)
                  : fmt::format("[build.{}] used files of this machine that are not of its environment:",
                                request_.name));
    for (const std::string& line : accesses_.lines()) request_.on_access("  " + line);
    const auto packages = accesses_.packages();
    const std::string wanted = packages.empty() ? "PACKAGE" : fmt::format("{}", fmt::join(packages, " "));
    const std::string example = accesses_.example();
    const bool plain = printable(example) == example && example.find_first_of("\"\\*?[") == std::string::npos;
    request_.on_access(
        fmt::format("Add what it needs to the environment ('flox install {}'), or allow it: "
                    "sandbox-allow = [\"{}\"]. All is in {}.",
                    wanted, plain && !example.empty() ? example : "/PATH/**", name));
  }

 private:
  // A file that was not there before: what is there may be a link to anywhere.
  Fd new_log(const std::string& name) const {
    const Directory project(request_.project);
    if (const auto status = project.status(name); status && S_ISDIR(status->st_mode))
      fail(ErrorKind::conflict, "{} is in the way of the build's log", (request_.project / name).string());
    project.remove(name);
    return project.open(name, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0644);
  }

  int run(const std::string& command, CommandSetting setting, int output) {
    if (!watched_) return run_build_command(command, setting, output);
    AccessWatch watch(rules_, accesses_);
    setting.watch = &watch;
    setting.needs_watch = !enforced_;  // what the root lacks it lacks, seen or not
    const int code = run_build_command(command, setting, output);
    is_blind_ = is_blind_ || !watch.has_begun();
    return code;
  }

  void prepare_watch() {
    const auto home = request_.environment.find("HOME");
    rules_.own_root = enforced_;
    rules_.allowed = AllowedPaths(request_.descriptor.sandbox_allow,
                                  home == request_.environment.end() ? fs::path() : fs::path(home->second));
    rules_.store = fs::canonical(store_.root() / "nix/store").string();
    for (const nix::StorePath& path : store_.closure(visible())) rules_.store_paths.emplace(path.base_name());
    rules_.directories = {fs::canonical(request_.project).string(), "/tmp", "/var/tmp"};
    if (const auto temporary = request_.environment.find("TMPDIR"); temporary != request_.environment.end())
      rules_.directories.push_back(fs::weakly_canonical(temporary->second).string());
  }

  nix::StorePathSet visible() const {
    nix::StorePathSet paths(request_.packages.begin(), request_.packages.end());
    if (request_.profile) paths.insert(*request_.profile);
    for (const auto& [name, path] : request_.builds) paths.insert(path);
    return paths;
  }

  // The project as it is, and what sandbox-allow names, where they are on this machine.
  void show_machine(CommandSetting& command) const {
    BuildRoot& root = *command.root;
    using Shown = BuildRoot::Shown;
    std::vector<Shown>& shown = root.shown;
    const auto home = request_.environment.find("HOME");
    if (home != request_.environment.end() && fs::path(home->second).is_absolute() &&
        fs::path(home->second).has_relative_path()) {
      root.home = fs::weakly_canonical(home->second);
      command.environment["HOME"] = root.home.string();  // links on the way to it are not in the root
      shown.push_back({.from = work_->path() / "home", .to = root.home, .writable = true});
    }
    for (const char* name : network_settings)
      if (const fs::path file = fs::path("/etc") / name; fs::is_regular_file(file))
        shown.push_back({.from = fs::canonical(file), .to = file});
    for (const fs::path& path : rules_.allowed.present())
      shown.push_back({.from = fs::canonical(path), .to = path, .writable = true});
    shown.push_back({.from = request_.project, .to = request_.project, .writable = true});
  }

  void prepare_root() {
    if (enforced_ && !request_.project.has_relative_path())
      throw Error(ErrorKind::invalid_input,
                  "its project is the whole machine, and its sandbox is to keep that from it",
                  "Move the project into a directory of its own, or build with sandbox = \"off\".");
    const auto has = [&](const char* program) {
      return request_.profile && env::profile_has(store_.real_path(*request_.profile), program);
    };
    if (!has("bin/bash"))
      throw Error(ErrorKind::invalid_input,
                  fmt::format("its sandbox is {}, so its bash must be the environment's, which has none",
                              request_.descriptor.sandbox),
                  "Run 'flox install bash coreutils', with what else the command uses.");
    work_.emplace("flox-build-");
    work_goes_.emplace(work_->path());
    const Directory work(work_->path());
    for (const char* place : {"source", "home", "tmp", "root"}) work.make_directory(place);
    if (pure_) copy_sources(request_.project, work_->path() / "source");
    for (const auto& [place, program] : {std::pair{"bin/sh", has("bin/sh") ? "bin/sh" : "bin/bash"},
                                         std::pair{"usr/bin/env", has("bin/env") ? "bin/env" : ""}})
      if (*program != '\0')
        links_.emplace(place, fmt::format("{}/{}", request_.profile->to_string(), program));
  }

  CommandSetting setting(const fs::path& out) const {
    CommandSetting result{
        .environment = request_.environment, .directory = request_.project, .store_root = {}, .root = {}};
    if (request_.profile || !request_.builds.empty()) result.store_root = store_.root();
    if (!pure_ && !enforced_) return result;
    if (pure_) result.directory = pure_project;
    result.root = BuildRoot{.at = work_->path() / "root",
                            .store = fs::canonical(store_.root() / "nix/store"),
                            .store_paths = store_.closure(visible()),
                            .shown = {{.from = work_->path() / "tmp", .to = "/tmp", .writable = true}},
                            .links = links_,
                            .as_caller = enforced_};
    auto& shown = result.root->shown;
    if (pure_) {
      shown.push_back({.from = work_->path() / "source", .to = pure_project, .writable = true});
      shown.push_back({.from = work_->path() / "home", .to = pure_home, .writable = true});
    } else {
      show_machine(result);
      for (const char* name : {"TMPDIR", "TMP", "TEMP"}) result.environment.erase(name);  // may not be there
    }
    if (!out.empty()) result.root->shown.push_back({.from = out, .to = out, .writable = true});
    return result;
  }

  store::LocalStore& store_;
  const BuildRequest& request_;
  const bool pure_;
  const bool enforced_;
  const bool watched_;
  AccessRules rules_;
  Accesses accesses_;
  bool is_blind_ = false;        // a command of it could not be watched
  std::optional<TempDir> work_;  // of a build with a root of its own
  std::optional<RemovedAfterwards> work_goes_;
  std::map<std::string, std::string> links_;
};

// Licences that hold together, as one SPDX expression.
std::string license_of(const env::BuildDescriptor& descriptor) {
  constexpr size_t longest = 256;  // bytes, as the catalog has them
  std::string expression;
  for (const std::string& license : descriptor.licenses) {
    const bool alone = descriptor.licenses.size() == 1 || license.find(' ') == std::string::npos;
    expression += (expression.empty() ? "" : " AND ") + (alone ? license : "(" + license + ")");
  }
  if (expression.size() > longest || printable(expression) != expression)
    fail(ErrorKind::invalid_input, "its licences are no text of at most {} bytes", longest);
  return expression;
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

// All that the result may refer to.
nix::StorePathSet candidates_of(const store::LocalStore& store, const BuildRequest& request) {
  nix::StorePathSet roots(request.packages.begin(), request.packages.end());
  for (const auto& profile : {request.profile, request.runtime_profile})
    if (profile) roots.insert(*profile);
  for (const auto& [name, path] : request.builds) roots.insert(path);
  return store.closure(roots);
}

void settle_paths(const BuildRequest& request, const fs::path& out, const std::string& own_path) {
  OutPaths paths{.same_length = {{out.string(), own_path}},
                 .in_texts = {},
                 .local = {},
                 .note = [&](const std::string& line) {
                   if (request.debian.on_step) request.debian.on_step(line);
                 }};
  if (request.profile) {
    const std::string left = request.runtime_profile.value_or(*request.profile).to_string();
    if (left != request.profile->to_string()) paths.same_length.emplace(request.profile->to_string(), left);
    for (const fs::path& link : request.run_links) paths.in_texts.emplace(link.string(), left);
  }
  if (request.project != "/") paths.local.push_back(request.project.string());
  if (request.descriptor.sandbox == "pure")
    paths.local.insert(paths.local.end(), {std::string(pure_project), std::string(pure_home)});
  settle_out_paths(out, paths);
}

// References to packages that are there to build with only.
void check_references(const store::LocalStore& store, const BuildRequest& request, const fs::path& tree,
                      const nix::StorePathSet& candidates) {
  if (request.runtime_packages.empty()) return;
  nix::StorePathSet roots = request.runtime_packages;
  if (request.runtime_profile) roots.insert(*request.runtime_profile);
  for (const auto& [name, path] : request.builds) roots.insert(path);
  const auto allowed = store.closure(roots);
  for (const auto& reference : candidates)
    if (!allowed.contains(reference))
      if (const std::string place = place_with(tree, std::string(reference.digest())); !place.empty())
        throw Error(
            ErrorKind::invalid_input,
            fmt::format("$out/{} refers to {}, which is not one of its runtime-packages", printable(place),
                        reference.to_string()),
            "Add the package to runtime-packages, or keep the build from writing its path into the result.");
}

// Whether the command may have linked libraries of the machine.
bool uses_machine(const env::BuildDescriptor& descriptor) {
  return descriptor.sandbox == "off" || descriptor.sandbox == "warn" ||
         (descriptor.sandbox == "enforce" && !descriptor.sandbox_allow.empty());
}

}  // namespace

catalog::PackageBuild build_package(store::LocalStore& store, const BuildRequest& request) {
  return in_context("building " + request.name, [&] {
    check_name("name", request.name);
    Building building(store, request);
    const std::string version = building.version();
    const std::string name = request.name + "-" + version;
    const std::string placeholder = placeholder_digest("build " + name);
    OutDirectory out(placeholder, name);
    try {
      building.run(out.path());
    } catch (...) {
      building.tell_accesses();
      throw;
    }
    building.tell_accesses();
    check_output(out.path());

    const std::string own_path = fmt::format("{}/{}-{}", nix::store_dir, placeholder, name);
    settle_paths(request, out.path(), own_path);
    const nix::StorePathSet candidates = candidates_of(store, request);
    check_references(store, request, out.path(), candidates);
    std::vector<nix::StorePath> packages = request.packages;
    for (const auto& [other, path] : request.builds) packages.push_back(path);
    nix::PathInfo info =
        relocate_tree(store, out.path(), name,
                      {.debian = request.debian,
                       .packages = packages,
                       .candidates = candidates,
                       .placeholder = placeholder,
                       .origins = {own_path},
                       .use_machine = uses_machine(request.descriptor),
                       .inspect = [&](const fs::path& tree, const nix::StorePathSet& visible) {
                         require_loadable(store, tree, placeholder + "-" + name, store.closure(visible));
                       }});
    catalog::PackageBuild result;
    result.name = request.name;
    result.version = version;
    result.system = system_of_this_machine();
    result.description = request.descriptor.description;
    result.license = license_of(request.descriptor);
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
  replace_link(Directory(project), link.filename().native(), store.real_path(path).native());
  store::keep_link(store, link);
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
