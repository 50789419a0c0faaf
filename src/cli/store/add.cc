// flox store add: copies files and directories into the store.
#include <memory>
#include <optional>

#include "base/command_line/program.h"
#include "cli/store/commands.h"

namespace flox::cli {
namespace {

struct StoreAddOptions {
  std::vector<std::string> trees;
  std::string name;
  std::string self;
  bool scan = false;
  bool json = false;
};

// "site" for "site", "./site/" and "../x/site/.".
std::string name_of(const std::filesystem::path& tree) {
  std::filesystem::path path = std::filesystem::absolute(tree).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename();
}

void add(const StoreAddOptions& options) {
  if (!options.name.empty() && options.trees.size() > 1)
    fail_usage(fmt::format("flox store add: --name names one path, and {} are given", options.trees.size()));
  store::LocalStore store = open_store(Config::load());
  const nix::StorePathSet candidates = options.scan ? store.valid_paths() : nix::StorePathSet();
  nlohmann::json json = nlohmann::json::array();
  for (const std::string& tree : options.trees) {
    const nix::PathInfo info =
        store.add_tree(tree, options.name.empty() ? name_of(tree) : options.name, candidates,
                       options.self.empty() ? std::nullopt : std::optional<std::string_view>(options.self));
    options.json ? json.push_back(to_json(info)) : fmt::print("{}\n", info.path.to_string());
  }
  if (options.json) print_json(json);
}

}  // namespace

void add_store_add(CLI::App& store) {
  auto options = std::make_shared<StoreAddOptions>();
  auto* command = store.add_subcommand("add", "Copy files or directories into the store");
  command->add_option("FILE", options->trees, "files or directories to add")->required();
  command->add_option("--name", options->name, "name in the store (default: the name of FILE)");
  command->add_flag("--scan", options->scan, "find references to other store paths in the files");
  command->add_option("--self", options->self,
                      "32-character digest that stands for the new path in its own files");
  add_json(*command, options->json);
  command->footer("Example:\n  flox store add ./site --name site-1.0 --scan");
  command->callback([options] { add(*options); });
}

}  // namespace flox::cli
