// flox store: the store itself, below environments and packages.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/config.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "catalog/client.h"
#include "cli/commands.h"
#include "nix/signature.h"
#include "store/lease.h"
#include "store/realise.h"
#include "store/verify.h"

namespace flox::cli {
namespace {

using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;
namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> paths;  // store paths, or paths below them
  bool json = false;
  std::string name;
  std::string out;
  std::string tree;
  std::string self;
  bool scan = false;
  std::string to;
  std::string key;
  std::vector<std::string> caches;
  std::vector<std::string> trusted_keys;
};

store::LocalStore open_store() { return store::LocalStore(Config::load().root); }

StorePathSet store_paths(const Options& options) {
  StorePathSet paths;
  for (const std::string& path : options.paths) paths.insert(StorePath::containing(path));
  return paths;
}

PathInfo info_of(const store::LocalStore& store, const StorePath& path) {
  auto info = store.query(path);
  if (!info)
    throw Error(ErrorKind::not_found, fmt::format("{} is not in the store", path.to_string()),
                fmt::format("Fetch it: flox store realise {}", path.to_string()));
  return std::move(*info);
}

nlohmann::json to_json(const PathInfo& info) {
  nlohmann::json json = {{"path", info.path.to_string()}, {"narHash", nix::hash_text(info.nar_hash)},
                         {"narSize", info.nar_size},      {"references", nlohmann::json::array()},
                         {"signatures", info.signatures}, {"registrationTime", info.registration_time}};
  for (const StorePath& reference : info.references) json["references"].push_back(reference.to_string());
  if (info.content_address) json["ca"] = *info.content_address;
  if (info.deriver) json["deriver"] = info.deriver->to_string();
  return json;
}

void print_info(const PathInfo& info) {
  fmt::print("{}\n  NAR hash    {}\n  NAR size    {} bytes\n", info.path.to_string(),
             nix::hash_text(info.nar_hash), info.nar_size);
  if (info.content_address) fmt::print("  address     {}\n", *info.content_address);
  for (const StorePath& reference : info.references) fmt::print("  refers to   {}\n", reference.to_string());
  for (const std::string& signature : info.signatures)
    fmt::print("  signed by   {}\n", signature.substr(0, signature.find(':')));
}

void keygen(const Options& options) {
  const nix::SecretKey key = nix::SecretKey::generate(options.name);
  const Fd fd(::open(options.out.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd && errno == EEXIST)
    throw Error(ErrorKind::conflict, fmt::format("{} exists already, and may be a key in use", options.out),
                "Name another file with --out, or remove that one first.");
  if (!fd) fail_errno(errno, "writing the secret key to {}", options.out);
  write_all(fd.get(), key.to_string() + "\n");
  fmt::print("{}\n", key.public_key().to_string());
}

void add(const Options& options) {
  store::LocalStore store = open_store();
  std::string name = options.name;
  if (name.empty()) name = fs::absolute(options.tree).lexically_normal().filename();
  const StorePathSet candidates = options.scan ? store.valid_paths() : StorePathSet();
  const PathInfo info =
      store.add_tree(options.tree, name, candidates,
                     options.self.empty() ? std::nullopt : std::optional<std::string_view>(options.self));
  fmt::print("{}\n", info.path.to_string());
}

void print_infos(const Options& options, const store::LocalStore& store, const StorePathSet& paths) {
  nlohmann::json json = nlohmann::json::array();
  for (const StorePath& path : paths) {
    const PathInfo info = info_of(store, path);
    options.json ? json.push_back(to_json(info)) : print_info(info);
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

void show_info(const Options& options) {
  const StorePathSet paths = store_paths(options);
  print_infos(options, open_store(), paths);
}

void show_closure(const Options& options) {
  const StorePathSet paths = store_paths(options);
  const store::LocalStore store = open_store();
  const StorePathSet closure = store.closure(paths);
  if (options.json) return print_infos(options, store, closure);
  for (const StorePath& path : closure) fmt::print("{}\n", path.to_string());
}

// Shows how far it is on a terminal, and nothing elsewhere.
std::function<void(const store::RealiseProgress&)> terminal_progress() {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [](const store::RealiseProgress& progress) {
    fmt::print(stderr, "\r{} of {} paths, {:.1f} of {:.1f} MB{}", progress.paths_done, progress.paths_total,
               static_cast<double>(progress.bytes_fetched) / 1e6,
               static_cast<double>(progress.bytes_total) / 1e6,
               progress.paths_done == progress.paths_total ? "\n" : "");
  };
}

void realise(const Options& options) {
  const Config config = Config::load();
  store::RealiseOptions how{.caches = options.caches,
                            .trusted_keys = nix::TrustedKeys(config.trusted_keys),
                            .trust_content_addressed = config.trust_content_addressed,
                            .on_progress = terminal_progress()};
  for (const std::string& key : options.trusted_keys) how.trusted_keys.add(nix::PublicKey::parse(key));
  if (how.caches.empty()) {
    how.caches = config.caches;
    if (!config.catalog_url.empty())
      how.caches.insert(how.caches.begin(), catalog::Client(config.catalog_url).cache_url());
  }
  const StorePathSet paths = store_paths(options);
  store::LocalStore store = open_store();
  const store::RealiseResult result = store::realise(store, paths, how);
  if (options.json) {
    nlohmann::json json = {{"paths_fetched", result.paths_fetched},
                           {"bytes_fetched", result.bytes_fetched},
                           {"closure", nlohmann::json::array()}};
    for (const StorePath& path : result.closure) json["closure"].push_back(path.to_string());
    fmt::print("{}\n", json.dump(2));
  } else {
    for (const StorePath& path : paths) fmt::print("{}\n", path.to_string());
  }
}

void copy(const Options& options) {
  const nix::SecretKey key = in_context("reading the key " + options.key,
                                        [&] { return nix::SecretKey::parse(read_file(options.key)); });
  const Config config = Config::load();
  // The token is the catalog's; no other server shall see it.
  const bool to_catalog = !config.catalog_url.empty() && options.to.starts_with(config.catalog_url);
  const auto cache = store::BinaryCache::open(options.to, to_catalog ? config.catalog_token : "");
  const StorePathSet paths = store_paths(options);
  const store::LocalStore store = open_store();
  const store::UploadResult result = store::upload_closure(store, *cache, store.closure(paths), key);
  if (options.json)
    fmt::print("{}\n", nlohmann::json{{"paths_uploaded", result.paths_uploaded},
                                      {"paths_present", result.paths_present},
                                      {"bytes_uploaded", result.bytes_uploaded}}
                           .dump(2));
  else
    fmt::print("{} paths uploaded ({:.1f} MB), {} were there\n", result.paths_uploaded,
               static_cast<double>(result.bytes_uploaded) / 1e6, result.paths_present);
}

void leases(const Options& options) {
  const store::LocalStore store = open_store();
  nlohmann::json json = nlohmann::json::array();
  for (const store::Lease& lease : store::list_leases(store)) {
    nlohmann::json paths = nlohmann::json::array();
    for (const StorePath& path : lease.paths) {
      if (!options.json) fmt::print("{}  {}\n", lease.holder, path.to_string());
      paths.push_back(path.to_string());
    }
    json.push_back({{"holder", lease.holder}, {"paths", paths}});
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

void verify(const Options&) {
  const store::LocalStore store = open_store();
  uint64_t checked = 0;
  const auto damages = store::verify(store, [&] { ++checked; });
  for (const auto& [path, problem] : damages) fmt::print("{}: {}\n", path.to_string(), problem);
  if (!damages.empty())
    throw Error(ErrorKind::untrusted, fmt::format("{} of {} paths are damaged", damages.size(), checked),
                "Nix can fetch or build them again: nix-store --verify --check-contents --repair");
  fmt::print("{} paths, all as they were registered\n", checked);
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& meaning,
                      const std::shared_ptr<Options>& options, void (*run)(const Options&)) {
  auto* command = parent.add_subcommand(name, meaning);
  command->callback([options, run] { run(*options); });
  return command;
}

void add_paths(CLI::App& command, Options& options) {
  command.add_option("PATH", options.paths, "store paths, or paths below them: /nix/store/…")->required();
}
void add_json(CLI::App& command, Options& options) { command.add_flag("--json", options.json, "print JSON"); }

}  // namespace

void add_store(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* group = app.add_subcommand("store", "The store itself: paths, closures, caches, keys");
  group->require_subcommand(1)->fallthrough();

  auto* command =
      add_command(*group, "keygen", "Make a key pair; the public key is printed", options, keygen);
  command->add_option("NAME", options->name, "the key's name, as in cache.example.org-1")->required();
  command->add_option("--out", options->out, "file for the secret key (made with mode 0600)")->required();
  command->footer("Example:\n  flox store keygen cache.example.org-1 --out cache.key > cache.pub");

  command = add_command(*group, "add", "Copy a file or directory into the store", options, add);
  command->add_option("PATH", options->tree, "what to add")->required();
  command->add_option("--name", options->name, "name in the store (default: the file's)");
  command->add_flag("--scan", options->scan, "look for references to the paths of the store in it");
  command->add_option("--self", options->self,
                      "32-character digest that stands for the new path itself in its files");

  command = add_command(*group, "info", "What the store knows of paths", options, show_info);
  add_paths(*command, *options);
  add_json(*command, *options);

  command = add_command(*group, "closure", "Paths and all that they refer to", options, show_closure);
  add_paths(*command, *options);
  add_json(*command, *options);

  command = add_command(*group, "realise", "Fetch what is missing of closures from binary caches", options,
                        realise);
  add_paths(*command, *options);
  add_json(*command, *options);
  command->add_option("--cache", options->caches, "caches to ask instead of the configured ones")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--trusted-key", options->trusted_keys, "public key to trust beside the configured ones")
      ->expected(1)
      ->take_all();

  command = add_command(*group, "copy", "Sign closures and upload them to a binary cache", options, copy);
  add_paths(*command, *options);
  add_json(*command, *options);
  command->add_option("--to", options->to, "the cache: http://, https:// or file:///")->required();
  command->add_option("--key", options->key, "file with the secret key to sign with")->required();
  command->footer("Example:\n  flox store copy --to file:///srv/cache --key cache.key /nix/store/…-web");

  command = add_command(*group, "leases", "What running containers keep in the store", options, leases);
  add_json(*command, *options);

  add_command(*group, "verify", "Hash every path and compare with what was registered", options, verify);
}

}  // namespace flox::cli
