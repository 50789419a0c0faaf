// What a pod may ask of a node, one request after the other, with the profile's merger behind it: locks that
// name packages of hostile authors and environments of others, with scripts, variables and shells of any
// name. Whatever is asked, nothing outside of the store changes, and the store holds what was registered.
//
// Input: requests. One byte says which kind, a second one of a lock's kind which packages (a bit each), and
// texts end with a zero byte.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/data/json.h"
#include "base/os/file.h"
#include "env/lockfile.h"
#include "env/profile.h"
#include "fuzz.h"
#include "store/local/local_store.h"
#include "store/maintenance/verify.h"

namespace flox::fuzz::of_pod_requests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* this_system = "x86_64-linux";
constexpr size_t most_profiles = 200;  // until the world is made anew, for each is verified with the others

// Every file below a directory with its content, and every link with its target.
std::map<std::string, std::string> contents_of(const fs::path& directory) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = fs::relative(entry.path(), directory).string();
    if (entry.is_symlink())
      found[name] = "-> " + fs::read_symlink(entry.path()).string();
    else
      found[name] = entry.is_regular_file() ? read_file(entry.path()) : "/";
  }
  return found;
}

// A store with packages of good and of bad authors, and what must never change: a directory of the host.
class World {
 public:
  World() {
    fs::create_directories(host_ / "cron.d");
    write_file(host_ / "cron.d/job", "0 0 * * * true\n");
    write_file(host_ / "vars.json", "{}");
    add("good", [](const fs::path& tree) {
      put(tree / "bin/tool", "tool");
      put(tree / "share/doc/readme", "read");
    });
    add("same", [](const fs::path& tree) {
      put(tree / "bin/other", "other");
      put(tree / "share/doc/more", "more");
    });
    add("takes-activate",
        [&](const fs::path& tree) { fs::create_directory_symlink(host_ / "cron.d", tree / "activate.d"); });
    add("has-activate", [](const fs::path& tree) {
      put(tree / "activate.d/hook-on-activate", "evil");
      put(tree / "manifest.lock", "{}");
    });
    add("walks-host", [&](const fs::path& tree) {
      put(tree / "bin/walk", "w");
      fs::create_directory_symlink(host_, tree / "share");
    });
    add("walks-host-too", [&](const fs::path& tree) {
      put(tree / "bin/walk2", "w");
      fs::create_directory_symlink(host_, tree / "share");
    });
    add("climbs", [](const fs::path& tree) {
      fs::create_directory_symlink("../../../..", tree / "lib");
      fs::create_directory_symlink("bin", tree / "bin");
      fs::create_symlink("/nix/store/../../etc", tree / "etc");
    });
    packages_.push_back(
        nix::StorePath::parse("/nix/store/00000000000000000000000000000000-nowhere").to_string());
    before_ = contents_of(host_);
  }

  store::LocalStore& store() { return store_; }
  // The path of one of the packages, or of an environment that was made for somebody.
  const std::string& package(size_t number) const { return packages_[number % packages_.size()]; }
  size_t packages() const { return packages_.size(); }
  bool is_used_up() const { return packages_.size() > most_profiles; }

  void remember(const nix::PathInfo& profile) {
    const std::string path = profile.path.to_string();
    if (std::ranges::find(packages_, path) == packages_.end()) packages_.push_back(path);
  }

  void check() const {
    require(contents_of(host_) == before_, "nothing outside of the store changes");
    const auto damage = store::verify(store_);
    for (const auto& [path, problem] : damage)
      std::fprintf(stderr, "%s: %s\n", path.to_string().c_str(), problem.c_str());
    require(damage.empty(), "the store holds what was registered");
  }

 private:
  static void put(const fs::path& file, std::string_view content) {
    fs::create_directories(file.parent_path());
    write_file(file, content, 0755);
  }
  template <typename Fill>
  void add(std::string_view name, const Fill& fill) {
    TempDir tree;
    fill(tree.path());
    packages_.push_back(store_.add_tree(tree.path(), name, {}).path.to_string());
  }

  TempDir directory_;
  fs::path host_ = directory_.path() / "host";
  store::LocalStore store_{directory_.path() / "root"};
  std::vector<std::string> packages_;
  std::map<std::string, std::string> before_;
};

// Asks for an environment as floxd's services do once a lock is there.
void realise(World& world, const env::Lockfile& lock, std::string_view system, std::string_view mode) {
  std::optional<nix::PathInfo> profile;
  accepts([&] { profile = env::build_profile(world.store(), lock, system, mode); },
          {ErrorKind::invalid_input, ErrorKind::untrusted, ErrorKind::conflict, ErrorKind::not_found});
  if (profile) {
    require(world.store().is_valid(profile->path), "a profile that was made is valid");
    for (const auto& [name, content] : contents_of(world.store().real_path(profile->path)))
      require(name.find("cron.d") == std::string::npos, "no file of the host has its name in a profile");
    world.remember(*profile);
  }
}

// A text of a request: protobuf and JSON hold no broken UTF-8.
std::string text_of(std::string_view& input) {
  const json text(std::string(take_until(input, '\0')));
  return parse_json(text.dump(-1, ' ', false, json::error_handler_t::replace), "text").get<std::string>();
}

// A lock of packages that are there, with texts from the input wherever one may stand.
std::string lock_text(const World& world, std::string_view& input) {
  const unsigned chosen = take_byte(input), environment = take_byte(input);
  json packages = json::array();
  auto add = [&](const std::string& path) {
    const std::string id = "p" + std::to_string(packages.size());
    packages.push_back({{"install_id", id},
                        {"attr_path", id},
                        {"version", "1"},
                        {"system", this_system},
                        {"group", "toplevel"},
                        {"priority", 5 + (environment & 1 ? packages.size() : 0)},
                        {"outputs", {{"out", path}}}});
  };
  for (size_t i = 0; i < 8; ++i)
    if (chosen & (1U << i)) add(world.package(i));
  if (environment >= 128) add(world.package(environment));
  json manifest = {{"version", 1}};
  const std::string shell = text_of(input);
  if (!shell.empty()) manifest["profile"][shell] = text_of(input);
  const std::string variable = text_of(input);
  if (!variable.empty()) manifest["vars"][variable] = text_of(input);
  if (const std::string hook = text_of(input); !hook.empty()) manifest["hook"]["on-activate"] = hook;
  return json{{"lockfile-version", 1}, {"manifest", manifest}, {"packages", packages}}.dump();
}

void one_request(World& world, std::string_view& input) {
  env::Lockfile lock;
  switch (take_byte(input) % 4) {
    case 0: {  // a lock with any text in it
      const std::string text = lock_text(world, input);
      if (accepts([&] { lock = env::Lockfile::parse(text); })) realise(world, lock, this_system, "run");
      return;
    }
    case 1: {  // any lock
      const std::string_view text = take_until(input, '\0');
      if (accepts([&] { lock = env::Lockfile::parse(text); })) realise(world, lock, this_system, "run");
      return;
    }
    case 2: {  // any system and mode, as a request names them
      const std::string system = text_of(input), mode = text_of(input);
      const std::string text = lock_text(world, input);
      if (accepts([&] { lock = env::Lockfile::parse(text); })) realise(world, lock, system, mode);
      return;
    }
    default: {  // a descriptor, as Resolve takes it
      const std::string_view text = take_until(input, '\0');
      accepts([&] {
        const json descriptor = parse_json(text, "descriptor");
        env::Manifest::from_json({{"version", 1}, {"install", {{"id", descriptor}}}});
      });
    }
  }
}

}  // namespace

void one(std::string_view input) {
  static std::optional<World> world;
  if (!world || world->is_used_up()) world.emplace();
  for (int requests = 0; requests < 8 && !input.empty(); ++requests) one_request(*world, input);
  world->check();
}

}  // namespace flox::fuzz::of_pod_requests
