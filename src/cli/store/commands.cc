#include "cli/store/commands.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/catalog_access.h"

namespace flox::cli {

using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;

store::LocalStore open_store(const Config& config) {
  return store::LocalStore(config.root, config.store_lock_timeout);
}

CLI::Option* add_paths(CLI::App& command, std::vector<std::string>& paths) {
  return command.add_option("PATH", paths, "store paths, or files in them: /nix/store/…");
}

StorePathSet to_store_paths(const std::vector<std::string>& paths) {
  StorePathSet result;
  for (const std::string& path : paths) result.insert(StorePath::containing(path));
  return result;
}

PathInfo info_of(const store::LocalStore& store, const StorePath& path) {
  auto info = store.query(path);
  if (!info)
    throw Error(ErrorKind::not_found, fmt::format("{} is not in the store", path.to_string()),
                fmt::format("Run 'flox store realise {}' to fetch it.", path.to_string()));
  return std::move(*info);
}

std::filesystem::path real_path_of(const store::LocalStore& store, const std::string& path) {
  const StorePath base = StorePath::containing(path);
  info_of(store, base);
  const auto inside = std::filesystem::path(path).lexically_relative(base.to_string());
  return inside == "." ? store.real_path(base) : store.real_path(base) / inside;  // a path may be a file
}

nlohmann::json to_json(const PathInfo& info) {
  nlohmann::json json = {{"path", info.path.to_string()}, {"narHash", nix::hash_text(info.nar_hash)},
                         {"narSize", info.nar_size},      {"references", to_json(info.references)},
                         {"signatures", info.signatures}, {"registrationTime", info.registration_time}};
  if (info.content_address) json["ca"] = info.content_address->to_string();
  if (info.deriver) json["deriver"] = info.deriver->to_string();
  if (info.ultimate) json["ultimate"] = true;
  return json;
}

nlohmann::json to_json(const StorePathSet& paths) {
  nlohmann::json json = nlohmann::json::array();
  for (const StorePath& path : paths) json.push_back(path.to_string());
  return json;
}

void print_json(const nlohmann::json& json) { fmt::print("{}\n", json.dump(2)); }

std::vector<std::string> caches_of(const Config& config, const std::vector<std::string>& named) {
  return named.empty() ? readable_caches(config) : named;
}

}  // namespace flox::cli
