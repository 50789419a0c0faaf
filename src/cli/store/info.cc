// flox store info: shows hash, size, references and signatures of paths.
#include <memory>

#include "base/settings/units.h"
#include "cli/store/commands.h"
#include "nix/signature.h"

namespace flox::cli {
namespace {

struct StoreInfoOptions {
  std::vector<std::string> paths;
  bool json = false;
};

void print_info(const nix::PathInfo& info) {
  fmt::print("{}\n  NAR hash    {}\n  NAR size    {} bytes ({})\n", info.path.to_string(),
             nix::hash_text(info.nar_hash), info.nar_size, size_text(info.nar_size));
  if (info.content_address) fmt::print("  address     {}\n", info.content_address->to_string());
  if (info.deriver) fmt::print("  made by     {}\n", info.deriver->to_string());
  for (const nix::StorePath& reference : info.references)
    fmt::print("  refers to   {}\n", reference.to_string());
  for (const std::string& signature : info.signatures)
    fmt::print("  signed by   {}\n", nix::key_name_of(signature));
}

void show_info(const StoreInfoOptions& options) {
  const store::LocalStore store = open_store(Config::load());
  nlohmann::json json = nlohmann::json::array();
  for (const nix::StorePath& path : to_store_paths(options.paths)) {
    const nix::PathInfo info = info_of(store, path);
    options.json ? json.push_back(to_json(info)) : print_info(info);
  }
  if (options.json) print_json(json);
}

}  // namespace

void add_store_info(CLI::App& store) {
  auto options = std::make_shared<StoreInfoOptions>();
  auto* command = store.add_subcommand("info", "Show hash, size, references and signatures of paths");
  add_paths(*command, options->paths)->required();
  add_json(*command, options->json);
  command->footer("Example:\n  flox store info --json /nix/store/…-web | jq '.[0].narSize'");
  command->callback([options] { show_info(*options); });
}

}  // namespace flox::cli
