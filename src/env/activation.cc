#include "env/activation.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace flox::env {
namespace {

using nlohmann::json;

std::string get(const Variables& variables, const std::string& name) {
  auto it = variables.find(name);
  return it == variables.end() ? std::string() : it->second;
}

// Puts `entry` in front of a colon-separated list, once.
void prepend(Variables& variables, const std::string& name, const std::string& entry) {
  std::string rest;
  std::string_view old =
      get(variables, name).empty() ? std::string_view() : std::string_view(variables[name]);
  while (!old.empty()) {
    std::string_view part = old.substr(0, old.find(':'));
    old.remove_prefix(std::min(part.size() + 1, old.size()));
    if (part != entry && !part.empty()) rest += ":" + std::string(part);
  }
  variables[name] = entry + rest;
}

// $NAME, ${NAME} and backslash escapes, as bash reads them inside double quotes.
std::string expand(const std::string& value, const Variables& variables) {
  std::string result;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size() &&
        std::string_view("$`\"\\").find(value[i + 1]) != std::string_view::npos) {
      result += value[++i];
      continue;
    }
    if (value[i] == '`' || (value[i] == '$' && i + 1 < value.size() && value[i + 1] == '('))
      throw Error(ErrorKind::invalid_input,
                  fmt::format("the manifest's variable value '{}' runs a command", value),
                  "set it in hook.on-activate instead");
    if (value[i] != '$') {
      result += value[i];
      continue;
    }
    bool braces = i + 1 < value.size() && value[i + 1] == '{';
    size_t start = i + (braces ? 2 : 1);
    size_t end = start;
    while (end < value.size() && (std::isalnum(static_cast<unsigned char>(value[end])) || value[end] == '_'))
      ++end;
    if (end == start) {
      result += '$';
      continue;
    }
    result += get(variables, value.substr(start, end - start));
    i = braces && end < value.size() ? end : end - 1;
  }
  return result;
}

// Values may name other manifest variables: those they name come first.
void apply_vars(const std::map<std::string, std::string>& vars, Variables& variables) {
  enum class State { fresh, open, done };
  std::map<std::string, State> states;
  std::function<void(const std::string&)> visit = [&](const std::string& name) {
    State& state = states[name];
    if (state == State::done) return;
    if (state == State::open)
      fail(ErrorKind::invalid_input, "the manifest's variables refer to each other in a circle at '{}'",
           name);
    state = State::open;
    const std::string& value = vars.at(name);
    for (const auto& [other, unused] : vars)
      if (other != name && (value.find("${" + other + "}") != std::string::npos ||
                            value.find("$" + other) != std::string::npos))
        visit(other);
    variables[name] = expand(value, variables);
    states[name] = State::done;
  };
  for (const auto& [name, unused] : vars) visit(name);
}

std::optional<fs::path> site_packages(const fs::path& profile) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(profile / "lib", error))
    if (entry.path().filename().string().starts_with("python3."))
      return fs::path("lib") / entry.path().filename() / "site-packages";
  return std::nullopt;
}

bool exists_in(const fs::path& profile, const fs::path& relative) {
  return fs::exists(fs::symlink_status(profile / relative));
}

void add_development_paths(const ActivationRequest& request, Variables& variables) {
  const fs::path& link = request.profile_link;
  prepend(variables, "CPATH", link / "include");
  prepend(variables, "LIBRARY_PATH", link / "lib");
  prepend(variables, "PKG_CONFIG_PATH", link / "share/pkgconfig");
  prepend(variables, "PKG_CONFIG_PATH", link / "lib/pkgconfig");
  prepend(variables, "ACLOCAL_PATH", link / "share/aclocal");
  if (exists_in(request.profile, "bin/cmake")) prepend(variables, "CMAKE_PREFIX_PATH", link);
  if (exists_in(request.profile, "bin/python3") || exists_in(request.profile, "bin/python"))
    if (auto packages = site_packages(request.profile)) prepend(variables, "PYTHONPATH", link / *packages);
}

}  // namespace

Activation activate(const ActivationRequest& request) {
  json data = json::parse(read_file(request.profile / "activate.d/vars.json"));
  Activation activation{.environment = request.environment};
  Variables& variables = activation.environment;
  const fs::path& link = request.profile_link;

  variables["FLOX_ENV"] = link;
  variables["FLOX_ENV_CACHE"] = request.cache;
  if (!request.project.empty()) variables["FLOX_ENV_PROJECT"] = request.project;
  variables["FLOX_ENV_DESCRIPTION"] = request.name;
  variables["FLOX_ACTIVATE_START_SERVICES"] = "false";
  variables["FLOX_PROMPT_ENVIRONMENTS"] =
      get(variables, "FLOX_PROMPT_ENVIRONMENTS").empty()
          ? request.name
          : request.name + " " + get(variables, "FLOX_PROMPT_ENVIRONMENTS");
  prepend(variables, "FLOX_ENV_DIRS", link);
  json active = json::parse(get(variables, "_FLOX_ACTIVE_ENVIRONMENTS"), nullptr, false);
  if (!active.is_array()) active = json::array();
  active.insert(active.begin(), json::object({{"type", "dot-flox"},
                                              {"path", request.project},
                                              {"pointer", {{"name", request.name}, {"version", 1}}}}));
  variables["_FLOX_ACTIVE_ENVIRONMENTS"] = active.dump();

  if (get(variables, "PATH").empty())
    variables["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  prepend(variables, "PATH", link / "bin");
  prepend(variables, "MANPATH", link / "share/man");
  variables["MANPATH"] += ":";
  prepend(variables, "INFOPATH", link / "share/info");
  prepend(variables, "XDG_DATA_DIRS", link / "share");
  if (request.mode == "dev") add_development_paths(request, variables);
  for (fs::path bundle :
       {fs::path("etc/ssl/certs/ca-certificates.crt"), fs::path("etc/ssl/certs/ca-bundle.crt")})
    if (exists_in(request.profile, bundle)) {
      variables.try_emplace("SSL_CERT_FILE", link / bundle);
      variables.try_emplace("NIX_SSL_CERT_FILE", link / bundle);
      break;
    }
  apply_vars(data.value("vars", std::map<std::string, std::string>{}), variables);
  activation.has_hook = exists_in(request.profile, "activate.d/hook-on-activate");
  return activation;
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
                "making a mount namespace: this user may not, and user namespaces are off", "run as root");
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
}

// A root made of this machine's top-level entries and a /nix of its own, for machines that have no /nix.
void enter_assembled_root(const fs::path& nix) {
  fs::path root = "/tmp/.flox-root-" + std::to_string(::getpid());
  fs::create_directory(root);
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
