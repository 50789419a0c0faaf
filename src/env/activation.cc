#include "env/activation.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "env/vars.h"
#include "store/local/store_tree.h"

namespace flox::env {
namespace {

using nlohmann::json;
using store::StoreTree;

constexpr size_t max_vars_file = 16 << 20;  // a lock's [vars], each escaped

// Puts `entry` in front of a colon-separated list, once.
void prepend(Variables& variables, const std::string& name, const std::string& entry) {
  std::string rest;
  std::string_view old =
      value_of(variables, name).empty() ? std::string_view() : std::string_view(variables[name]);
  while (!old.empty()) {
    std::string_view part = old.substr(0, old.find(':'));
    old.remove_prefix(std::min(part.size() + 1, old.size()));
    if (part != entry && !part.empty()) rest += ":" + std::string(part);
  }
  variables[name] = entry + rest;
}

// The profile's files. Its links lead into packages of others: they are followed within the store only.
class ProfileFiles {
 public:
  explicit ProfileFiles(const fs::path& profile)
      : tree_(directory_of(profile)), name_(profile.filename().string()) {}

  bool has(const fs::path& relative) const { return place_of(relative).has_value(); }
  // Names of the files in a directory; none if it is not one.
  std::vector<std::string> names(const fs::path& relative) const {
    const auto place = place_of(relative);
    if (!place || !place->is_directory()) return {};
    return tree_.directory(place->path).names();
  }
  // Of a file that the profile has itself.
  std::string read(const fs::path& relative, size_t limit) const {
    return tree_.directory(name_.native()).read_file(relative.string(), limit);
  }

 private:
  std::optional<StoreTree::Place> resolved(const std::string& path) const {
    try {
      return tree_.resolve(path, any);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::untrusted) throw;
      return std::nullopt;  // it leads out of the store: we do not look
    }
  }
  // A name whose link dangles, or leads where nothing is followed, is there; the directories before it must
  // be.
  std::optional<StoreTree::Place> place_of(const fs::path& relative) const {
    if (!is_file_name(relative.filename().native())) return std::nullopt;
    const auto directory = resolved((name_ / relative).parent_path());
    if (!directory || !directory->is_directory()) return std::nullopt;
    const std::string path = directory->path + "/" + relative.filename().string();
    const auto status = tree_.status(path);
    if (!status) return std::nullopt;
    const auto target = S_ISLNK(status->st_mode) ? resolved(path) : std::nullopt;
    return target ? target : StoreTree::Place{.path = path, .mode = status->st_mode};
  }
  static bool any(std::string_view) { return true; }

  StoreTree tree_;
  fs::path name_;
};

void add_development_paths(const ActivationRequest& request, const ProfileFiles& files,
                           Variables& variables) {
  const fs::path& link = request.profile_link;
  prepend(variables, "CPATH", link / "include");
  prepend(variables, "LIBRARY_PATH", link / "lib");
  prepend(variables, "PKG_CONFIG_PATH", link / "share/pkgconfig");
  prepend(variables, "PKG_CONFIG_PATH", link / "lib/pkgconfig");
  prepend(variables, "ACLOCAL_PATH", link / "share/aclocal");
  if (files.has("bin/cmake")) prepend(variables, "CMAKE_PREFIX_PATH", link);
  if (!files.has("bin/python3") && !files.has("bin/python")) return;
  for (const std::string& name : files.names("lib"))
    if (name.starts_with("python3.")) {
      prepend(variables, "PYTHONPATH", link / "lib" / name / "site-packages");
      return;
    }
}

// [vars] as the profile has them.
std::map<std::string, std::string> vars_of(const json& data) {
  std::map<std::string, std::string> vars;
  if (const auto found = data.find("vars"); found != data.end() && found->is_object())
    for (const auto& [name, value] : found->items())
      if (value.is_string()) vars.emplace(name, value.get<std::string>());
  return vars;
}

// The environments that are active in the process, the newest first. What the variable holds comes from
// whoever started it: what is no short list of them counts as none.
json active_environments(const std::string& text) {
  constexpr JsonLimits limits{.bytes = 64 << 10, .depth = 8, .values = 4096};
  if (text.empty()) return json::array();
  try {
    if (json known = parse_json(text, "_FLOX_ACTIVE_ENVIRONMENTS", limits); known.is_array()) return known;
  } catch (const Error& error) {
    log::warning("{}: it does not list the environments that were active before", error.what());
  }
  return json::array();
}

// What is said of this environment in that list.
json entry_of(const ActivationRequest& request) {
  return {{"type", "dot-flox"},
          {"path", request.project.string()},
          {"pointer", {{"name", request.name}, {"version", 1}}},
          {"profile", request.profile_link.string() + " " + request.profile.string()},
          {"mode", request.mode}};
}

bool names_same_environment(const json& one, const json& other) {
  return one.is_object() && one.value("path", json()) == other["path"] &&
         one.value("pointer", json()) == other["pointer"];
}

// Says in the list that this environment is active, and in `activation` whether it was.
void add_active(const ActivationRequest& request, Activation& activation) {
  std::string& list = activation.environment["_FLOX_ACTIVE_ENVIRONMENTS"];
  json active = active_environments(list);
  const json entry = entry_of(request);
  const auto known =
      std::ranges::find_if(active, [&](const json& other) { return names_same_environment(other, entry); });
  activation.is_active = known != active.end();
  activation.hook_has_run = activation.is_active && *known == entry;
  if (activation.is_active)
    *known = entry;
  else
    active.insert(active.begin(), entry);
  // A directory's name need not be UTF-8.
  list = active.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Activation activate(const ActivationRequest& request) {
  const ProfileFiles files(request.profile);
  const json data = parse_json(files.read("activate.d/vars.json", max_vars_file), "vars.json",
                               {.bytes = max_vars_file, .depth = 8, .values = 400'000});
  Activation activation{.environment = request.environment};
  Variables& variables = activation.environment;
  const fs::path& link = request.profile_link;

  variables["FLOX_ENV"] = link;
  variables["FLOX_ENV_CACHE"] = request.cache;
  if (!request.project.empty()) variables["FLOX_ENV_PROJECT"] = request.project;
  variables["FLOX_ENV_DESCRIPTION"] = request.name;
  variables["FLOX_ACTIVATE_START_SERVICES"] = "false";
  add_active(request, activation);
  if (const std::string shown = value_of(variables, "FLOX_PROMPT_ENVIRONMENTS"); shown.empty())
    variables["FLOX_PROMPT_ENVIRONMENTS"] = request.name;
  else if (!activation.is_active)
    variables["FLOX_PROMPT_ENVIRONMENTS"] = request.name + " " + shown;
  prepend(variables, "FLOX_ENV_DIRS", link);

  if (value_of(variables, "PATH").empty())
    variables["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (request.add_sbin) prepend(variables, "PATH", link / "sbin");
  prepend(variables, "PATH", link / "bin");
  prepend(variables, "MANPATH", link / "share/man");
  variables["MANPATH"] += ":";
  prepend(variables, "INFOPATH", link / "share/info");
  variables["INFOPATH"] += ":";  // as in MANPATH: and those of the machine
  // What is unset stands for these (XDG Base Directory Specification).
  if (value_of(variables, "XDG_DATA_DIRS").empty())
    variables["XDG_DATA_DIRS"] = "/usr/local/share:/usr/share";
  prepend(variables, "XDG_DATA_DIRS", link / "share");
  if (request.mode == "dev") add_development_paths(request, files, variables);
  for (fs::path bundle :
       {fs::path("etc/ssl/certs/ca-certificates.crt"), fs::path("etc/ssl/certs/ca-bundle.crt")})
    if (files.has(bundle)) {
      variables.try_emplace("SSL_CERT_FILE", link / bundle);
      variables.try_emplace("NIX_SSL_CERT_FILE", link / bundle);
      break;
    }
  activation.has_hook = files.has("activate.d/hook-on-activate");
  activation.hook_has_run = activation.hook_has_run && activation.has_hook;
  const std::map<std::string, std::string> vars = vars_of(data);
  set_vars(vars, variables);
  for (const auto& [name, unused] : vars) activation.vars.push_back(name);
  return activation;
}

bool profile_has(const fs::path& profile, const fs::path& relative) {
  return ProfileFiles(profile).has(relative);
}

std::string read_profile_file(const fs::path& profile, const fs::path& relative, size_t limit) {
  return ProfileFiles(profile).read(relative, limit);
}

std::optional<std::string> active_mode(const Variables& variables, const fs::path& project) {
  for (const json& entry : active_environments(value_of(variables, "_FLOX_ACTIVE_ENVIRONMENTS")))
    if (entry.is_object() && entry.value("path", json()) == project.string() &&
        entry.value("mode", json()).is_string())
      return entry["mode"].get<std::string>();
  return std::nullopt;
}

std::vector<fs::path> active_projects(const Variables& variables) {
  std::vector<fs::path> projects;
  for (const json& entry : active_environments(value_of(variables, "_FLOX_ACTIVE_ENVIRONMENTS"))) {
    const json path = entry.is_object() ? entry.value("path", json()) : json();
    if (path.is_string() && !path.get_ref<const std::string&>().empty())
      projects.emplace_back(path.get<std::string>());
  }
  return projects;
}

std::optional<fs::path> find_command(const std::string& command, const Variables& environment) {
  if (command.find('/') != std::string::npos)
    return ::access(command.c_str(), X_OK) == 0 ? std::optional<fs::path>(command) : std::nullopt;
  std::string_view path =
      environment.contains("PATH") ? std::string_view(environment.at("PATH")) : std::string_view();
  while (!path.empty()) {
    std::string_view part = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    fs::path candidate = fs::path(part.empty() ? "." : part) / command;
    struct stat status {};
    if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return std::nullopt;
}

namespace {

void mount_or_fail(const fs::path& from, const fs::path& to, unsigned long flags,
                   const char* type = nullptr) {
  if (::mount(from.c_str(), to.c_str(), type, flags, nullptr) != 0)
    fail_errno(errno, "mounting {} at {}", from.string(), to.string());
}

// Without root, a user namespace gives the right to mount; ids stay what they are.
void unshare_mounts() {
  if (::unshare(CLONE_NEWNS) == 0) return;
  uid_t uid = ::geteuid();
  gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    throw Error(ErrorKind::unavailable,
                "making a mount namespace: this user may not, and user namespaces are off", "Run as root.");
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
}

// A root made of this machine's top-level entries and a /nix of its own, for machines that have no /nix. It
// stands on a directory of the store's, which nobody else can name things in; others see it empty.
void enter_assembled_root(const fs::path& nix) {
  const Directory state(nix / "var/nix/flox");
  state.make_directory("assembled-root");
  const fs::path root = nix / "var/nix/flox/assembled-root";
  mount_or_fail("tmpfs", root, MS_NOSUID | MS_NODEV, "tmpfs");
  for (const auto& entry : fs::directory_iterator("/")) {
    fs::path target = root / entry.path().filename();
    if (entry.is_symlink())
      fs::create_symlink(fs::read_symlink(entry.path()), target);
    else if (entry.is_directory()) {
      fs::create_directory(target);
      mount_or_fail(entry.path(), target, MS_BIND | MS_REC);
    }
  }
  fs::create_directory(root / "nix");
  mount_or_fail(nix, root / "nix", MS_BIND | MS_REC);
  fs::path cwd = fs::current_path();
  if (::chroot(root.c_str()) != 0) fail_errno(errno, "entering {}", root.string());
  fs::current_path(cwd);
}

}  // namespace

void enter_store(const fs::path& root) {
  if (root == "/" || root.empty()) return;
  in_context("making " + root.string() + "/nix visible as /nix", [&] {
    fs::path nix = fs::canonical(root / "nix");
    unshare_mounts();
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      fail_errno(errno, "making mounts private");
    if (fs::is_directory("/nix"))
      mount_or_fail(nix, "/nix", MS_BIND | MS_REC);
    else
      enter_assembled_root(nix);
  });
}

}  // namespace flox::env
