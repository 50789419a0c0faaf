#include "package/debian/debian.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/net/url.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "base/printable.h"
#include "package/debian/deb_file.h"

namespace flox::package {
namespace {

constexpr size_t max_deb = size_t{4} << 30;  // bytes

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> result;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) result.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

// apt's file name of a package: an epoch's colon is written %3a, and the architecture is the file's last
// part.
bool is_deb_of(const std::string& file_name, const DebianPackage& package) {
  std::string version;
  for (char c : package.version) version += c == ':' ? std::string("%3a") : std::string(1, c);
  return file_name.starts_with(package.name + "_" + version + "_") && file_name.ends_with(".deb");
}

std::string field(const Stanza& stanza, const char* name) {
  auto found = stanza.find(name);
  return found == stanza.end() ? "" : found->second;
}

DebianPackage package_of(const Stanza& stanza) {
  DebianPackage package;
  package.name = field(stanza, "Package");
  package.version = field(stanza, "Version");
  package.architecture = field(stanza, "Architecture");
  std::string source = field(stanza, "Source");  // "NAME (VERSION)" if its version is another one
  package.source = source.empty() ? package.name : source.substr(0, source.find(' '));
  package.section = field(stanza, "Section");
  package.priority = field(stanza, "Priority");
  package.sha256 = field(stanza, "SHA256");
  package.essential = field(stanza, "Essential") == "yes";
  std::string description = field(stanza, "Description");
  if (description.empty()) description = field(stanza, "Description-en");
  package.description = description.substr(0, description.find('\n'));
  for (const char* name : {"Pre-Depends", "Depends"}) {
    for (auto& relation : parse_relations(field(stanza, name)))
      package.depends.push_back(std::move(relation));
    package.exact.merge(parse_exact_versions(field(stanza, name)));
  }
  return package;
}

Command quiet(std::vector<std::string> argv) {
  return {.argv = std::move(argv), .env = {{"LC_ALL", "C.UTF-8"}}};
}

void check_package_name(const std::string& name) {
  if (name.empty() ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") != std::string::npos ||
      name[0] == '-')
    fail(ErrorKind::invalid_input, "'{}' is not the name of a Debian package", printable(name, 256));
}

const char* advice_for_unknown(DebianSource::Kind kind) {
  switch (kind) {
    case DebianSource::Kind::repository:
      return "Look for its name on https://packages.debian.org, or name another suite with --suite.";
    case DebianSource::Kind::installed:
      return "Install it, or leave --installed out.";
    case DebianSource::Kind::machine:
      break;
  }
  return "Look for its name with 'apt-cache search', or refresh apt's lists with 'apt-get update'.";
}

std::vector<std::string> with_names(std::vector<std::string> argv, const std::set<std::string>& names) {
  argv.insert(argv.end(), names.begin(), names.end());
  return argv;
}

}  // namespace

Debian::Debian(DebianOptions options) : options_(std::move(options)) {
  if (options_.download_cache.empty()) options_.download_cache = user_cache_directory("debs");
  fs::create_directories(options_.download_cache);
  if (is_repository()) repository_.emplace(options_.download_cache, options_.source, options_.on_step);
}

// apt's index of all packages takes 0.7 s to build and 0.1 s to read. Systems made for containers turn the
// file off, and only root may write it on others, so it has a place of ours; apt rebuilds it when its lists
// change.
Command Debian::apt(const std::string& program, std::vector<std::string> arguments,
                    const std::set<std::string>& names) const {
  std::vector<std::string> argv{program};
  if (!repository_)
    argv.insert(argv.end(),
                {"-o", "Dir::Cache::pkgcache=" + (options_.download_cache / "apt-index.bin").string()});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Command command = quiet(with_names(std::move(argv), names));
  if (repository_) command.env.merge(repository_->variables());
  return command;
}

Debian::~Debian() = default;

void Debian::load(const std::set<std::string>& names) {
  std::set<std::string> unknown;
  for (const auto& name : names)
    if (!packages_.contains(name)) unknown.insert(name);
  if (unknown.empty()) return;
  for (const auto& name : unknown) {
    check_package_name(name);
    packages_[name] = std::nullopt;
  }
  // Its exit code only says that some name is unknown, which the missing stanza says better.
  if (options_.source.kind != DebianSource::Kind::installed)
    remember(parse_control(run(apt("apt-cache", {"show", "--no-all-versions"}, unknown)).out));
  if (is_repository()) return;
  std::set<std::string> missing;
  for (const auto& name : unknown)
    if (!packages_[name]) missing.insert(name);
  // Images for containers ship without apt's lists; what is installed is known all the same.
  if (!missing.empty()) {
    std::vector<Stanza> installed;
    for (auto& stanza : parse_control(run(quiet(with_names({"dpkg-query", "--status"}, missing))).out))
      if (field(stanza, "Status").ends_with(" installed")) installed.push_back(std::move(stanza));
    remember(installed);
  }
}

void Debian::remember(const std::vector<Stanza>& stanzas) {
  for (const auto& stanza : stanzas) {
    auto found = packages_.find(field(stanza, "Package"));
    if (found != packages_.end() && !found->second) found->second = package_of(stanza);
  }
}

bool Debian::exists(const std::string& name) {
  load({name});
  return packages_[name].has_value();
}

const DebianPackage& Debian::package(const std::string& name) {
  if (!exists(name))
    throw Error(ErrorKind::not_found, fmt::format("there is no Debian package '{}'", name),
                advice_for_unknown(options_.source.kind));
  return *packages_[name];
}

const std::vector<DebianPackage>& Debian::all_versions(const std::string& name) {
  const auto [known, is_new] = versions_.try_emplace(name);
  if (is_new)
    for (const auto& stanza : parse_control(run(apt("apt-cache", {"show"}, {name})).out))
      if (field(stanza, "Package") == name) known->second.push_back(package_of(stanza));
  return known->second;
}

void Debian::want(const std::string& name, const std::string& version) {
  check_package_name(name);
  if (const auto known = packages_.find(name);
      known != packages_.end() && known->second && known->second->version == version)
    return;
  const std::vector<DebianPackage>& there = all_versions(name);
  const auto without_epoch = [](const std::string& text) { return text.substr(text.find(':') + 1); };
  const std::function<bool(const DebianPackage&)> same[] = {
      [&](const DebianPackage& one) { return one.version == version; },
      [&](const DebianPackage& one) { return without_epoch(one.version) == version; },
      [&](const DebianPackage& one) { return upstream_version(one.version) == version; }};
  for (const auto& is_same : same) {
    const auto found = std::find_if(there.begin(), there.end(), is_same);
    if (found == there.end()) continue;
    if (std::any_of(std::next(found), there.end(),
                    [&](const auto& other) { return is_same(other) && other.version != found->version; }))
      continue;
    if (debs_.contains(name) && packages_[name] && packages_[name]->version != found->version)
      fail(ErrorKind::conflict, "Debian package {} is needed in two versions, {} and {}", name,
           packages_[name]->version, found->version);
    packages_[name] = *found;
    return;
  }
  std::vector<std::string> versions;
  for (const auto& one : there)
    if (std::find(versions.begin(), versions.end(), one.version) == versions.end())
      versions.push_back(one.version);
  if (versions.empty()) package(name);  // says that there is no such package
  throw Error(
      ErrorKind::not_found, fmt::format("Debian package {} has no version {}", name, printable(version, 256)),
      fmt::format(
          "Name one that the repository has: {}. Older ones are on snapshot.debian.org (--apt-sources).",
          fmt::join(versions, ", ")));
}

std::optional<std::string> Debian::choose(const std::vector<std::string>& alternatives) {
  load({alternatives.begin(), alternatives.end()});
  for (const auto& name : alternatives)
    if (exists(name)) return name;
  const auto [provider, is_new] = providers_.try_emplace(alternatives);
  if (is_new) provider->second = find_provider(alternatives);
  return provider->second;
}

std::optional<std::string> Debian::find_provider(const std::vector<std::string>& alternatives) {
  for (const auto& name : alternatives) {
    std::string output = run(apt("apt-cache", {"showpkg"}, {name})).out;
    size_t begin = output.find("Reverse Provides:");
    if (begin == std::string::npos) continue;
    std::set<std::string> providers;
    for (const auto& line : lines_of(output.substr(output.find('\n', begin))))
      providers.insert(line.substr(0, line.find_first_of(" :")));
    load(providers);
    for (const auto& provider : providers)
      if (exists(provider)) return provider;
  }
  return std::nullopt;
}

void Debian::obtain(const std::set<std::string>& names) {
  std::set<std::string> missing;
  for (const auto& name : names) {
    package(name);
    if (!debs_.contains(name) && !installed_copies_.contains(name)) missing.insert(name);
  }
  if (options_.source.kind != DebianSource::Kind::installed) missing = find_downloaded(missing);
  if (missing.empty()) return;
  if (options_.source.kind == DebianSource::Kind::installed) return use_installed(missing, "as asked");
  std::string trouble = download(missing);
  missing = find_downloaded(missing);
  if (missing.empty()) return;
  if (!is_repository()) return use_installed(missing, trouble);
  throw Error(ErrorKind::unavailable,
              fmt::format("these Debian packages cannot be downloaded: {}: {}", fmt::join(missing, ", "),
                          trouble.substr(0, trouble.find('\n'))),
              "Check the network and try again. --installed takes the files that are installed on this "
              "machine instead.");
}

// Returns those that are in neither cache. A file with another hash than apt's list says is not the package.
std::set<std::string> Debian::find_downloaded(const std::set<std::string>& names) {
  std::set<std::string> missing = names;
  for (const fs::path& directory : {options_.download_cache, fs::path("/var/cache/apt/archives")}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      std::string file_name = entry.path().filename().string();
      std::string name = file_name.substr(0, file_name.find('_'));
      if (!missing.contains(name) || !is_deb_of(file_name, package(name))) continue;
      if (to_hex(bytes_of(flox::sha256(read_file(entry.path(), max_deb)))) != package(name).sha256) continue;
      debs_[name] = entry.path();
      missing.erase(name);
    }
  }
  return missing;
}

// Those that apt's lists have with a hash, as "NAME=VERSION".
std::set<std::string> Debian::fetchable(const std::set<std::string>& names) {
  std::set<std::string> versions;
  for (const auto& name : names)
    if (!package(name).sha256.empty()) versions.insert(name + "=" + package(name).version);
  return versions;
}

// Downloads into the cache what has a known hash; returns what apt complained about.
std::string Debian::download(const std::set<std::string>& names) {
  const std::set<std::string> versions = fetchable(names);
  if (versions.empty()) return "apt knows no source for it";
  step(fmt::format("downloading {} Debian package{}", versions.size(), versions.size() == 1 ? "" : "s"));
  // apt writes in place; another import must never see half a file.
  TempDir incoming(".incoming-", options_.download_cache);
  Command command = apt(
      "apt-get", {"-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "download"}, versions);
  command.cwd = incoming.path().string();
  Outcome outcome = run(command);
  for (const auto& entry : fs::directory_iterator(incoming.path()))
    if (entry.path().extension() == ".deb")
      fs::rename(entry.path(), options_.download_cache / entry.path().filename());
  return outcome.err.empty() ? fmt::format("apt-get ended with {} and did not say why", outcome.exit_code)
                             : outcome.err;
}

// apt prints "'URL' NAME_VERSION_ARCHITECTURE.deb SIZE SHA256:…", a line for each.
std::map<std::string, std::string> Debian::urls(const std::set<std::string>& names) {
  const std::set<std::string> versions = fetchable(names);
  std::map<std::string, std::string> result;
  if (versions.empty()) return result;
  for (const auto& line : lines_of(run(apt("apt-get", {"-qq", "download", "--print-uris"}, versions)).out)) {
    const size_t end = line.find('\'', 1);
    // Other sources (file:, cdrom:) are places of this machine.
    if (!line.starts_with("'http") || end == std::string::npos) continue;
    std::string file = line.substr(end + 1);
    file.erase(0, file.find_first_not_of(' '));
    const std::string name = file.substr(0, file.find('_'));
    if (names.contains(name)) result[name] = split_login(line.substr(1, end - 1)).first;
  }
  return result;
}

void Debian::use_installed(const std::set<std::string>& names, const std::string& reason) {
  std::string why = reason.substr(0, reason.find('\n'));
  for (const auto& name : names) {
    Outcome status = run(quiet({"dpkg-query", "--status", name}));
    auto stanzas = status.exit_code == 0 ? parse_control(status.out) : std::vector<Stanza>{};
    if (stanzas.empty() || !field(stanzas.front(), "Status").ends_with(" installed"))
      throw Error(
          ErrorKind::unavailable,
          fmt::format("Debian package {} cannot be downloaded, and it is not installed: {}", name, why),
          "Check the network and /etc/apt/sources.list, then run 'apt-get update'.");
    packages_[name] = package_of(stanzas.front());
    installed_copies_[name] = lines_of(run_checked(quiet({"dpkg-query", "--listfiles", name})));
    size_t absent = 0;
    for (const auto& path : installed_copies_[name]) {
      auto place = layout_path(path);
      if (place && !left_out(*place) && !fs::exists(fs::symlink_status(path))) ++absent;
    }
    step(fmt::format(
        "{}: using the installed files of version {} ({}){}", name, packages_[name]->version, why,
        absent == 0 ? ""
                    : fmt::format("; {} of them are not on this machine, so the store path will differ "
                                  "from the one that its .deb gives",
                                  absent)));
  }
}

const std::vector<std::string>& Debian::files(const std::string& name) {
  auto found = files_.find(name);
  if (found != files_.end()) return found->second;
  obtain({name});
  auto& files = files_[name];
  if (debs_.contains(name)) return files = list_deb(debs_[name]);
  for (const auto& path : installed_copies_[name]) {
    auto place = layout_path(path);
    if (place && !left_out(*place) && fs::exists(fs::symlink_status(path)) &&
        !fs::is_directory(fs::symlink_status(path)))
      files.push_back(*place);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string Debian::unpack(const std::string& name, const fs::path& directory) {
  obtain({name});
  return debs_.contains(name) ? unpack_deb(debs_[name], directory)
                              : copy_installed(installed_copies_[name], directory);
}

std::vector<std::string> Debian::all_from_installed() const {
  std::vector<std::string> result;
  for (const auto& [name, files] : installed_copies_) result.push_back(name);
  return result;
}

std::map<fs::path, std::string> Debian::owners(const std::set<fs::path>& files) {
  // dpkg records the path that the .deb has, which on a machine with merged /usr may be either side of a
  // link.
  std::map<std::string, fs::path> spellings;
  for (const auto& file : files) {
    std::error_code error;
    for (const fs::path& path : {file.lexically_normal(), fs::canonical(file, error)}) {
      auto place = layout_path(path.string());
      if (!place) continue;
      spellings.emplace("/" + *place, file);
      spellings.emplace("/usr/" + *place, file);
    }
  }
  std::map<fs::path, std::string> result;
  if (spellings.empty()) return result;
  std::vector<std::string> argv{"dpkg-query", "--search", "--"};
  for (const auto& [spelling, file] : spellings) argv.push_back(spelling);
  for (const auto& line : lines_of(run(quiet(std::move(argv))).out)) {  // "PACKAGE[:ARCH][, PACKAGE…]: PATH"
    size_t separator = line.find(": ");
    if (separator == std::string::npos || line.starts_with("diversion ")) continue;
    auto found = spellings.find(line.substr(separator + 2));
    if (found != spellings.end()) result.emplace(found->second, line.substr(0, line.find_first_of(":,")));
  }
  return result;
}

}  // namespace flox::package
