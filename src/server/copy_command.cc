#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "server/commands.h"
#include "server/storage.h"
#include "server/transfer/copy_paths.h"
#include "server/transfer/published_paths.h"

namespace flox::server {
namespace {

struct CopyCommand {
  std::string url;
  std::vector<std::string> paths;
  std::filesystem::path paths_from;
  bool published = false;
};

constexpr size_t largest_list = 64 << 20;  // bytes of --paths-from

// One a line; empty lines do not count.
void add_listed(nix::StorePathSet& paths, const std::filesystem::path& file) {
  const std::string text = read_file(file, largest_list);
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (!line.empty())
      in_context(fmt::format("{}:{}", file.string(), number),
                 [&] { paths.insert(nix::StorePath::parse(line)); });
  }
}

void run_copy(const ServerSettings& settings, const CopyCommand& command) {
  const RegisteredKeys keys = required_keys(settings, "copy");
  nix::StorePathSet paths;
  for (const std::string& path : command.paths) paths.insert(nix::StorePath::parse(path));
  if (!command.paths_from.empty()) add_listed(paths, command.paths_from);
  if (paths.empty() && !command.published)
    fail_usage("flox-catalog copy: no paths are named",
               "Name store paths, or pass --paths-from or --published.");
  const auto from = store::BinaryCache::open(command.url);
  TransferStorage into(settings, keys);
  uint64_t elsewhere = 0;
  if (command.published)
    for (const nix::StorePath& path : paths_of_environments(*into.database)) {
      if (into.cache.narinfo(path)) continue;
      if (from->query(path))
        paths.insert(path);
      else
        ++elsewhere;
    }
  const CopiedPaths copied = copy_paths(*from, into.cache, paths);
  fmt::print("copied {} ({}) from {}; there before: {}\n", count_text(copied.copied, "store path"),
             count_text(copied.bytes, "byte"), from->url(), copied.present);
  if (elsewhere > 0)
    fmt::print("neither here nor there: {} of published environments\n", count_text(elsewhere, "path"));
}

}  // namespace

void add_copy_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work) {
  auto* command = app.add_subcommand("copy", "Copy closures from a binary cache into the catalog's own.");
  command->fallthrough();
  command->footer(
      "Each path must bear a signature of one of --trusted-key. They are for everyone to read.\n\n"
      "Example:\n"
      "  flox-catalog copy https://cache.nixos.org --published --data /var/lib/flox/catalog \\\n"
      "    --trusted-key cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=");
  const auto options = std::make_shared<CopyCommand>();
  command->add_option("URL", options->url, "URL of the binary cache: https://…, s3://…, file:///….")
      ->required();
  command->add_option("PATH", options->paths, "Store paths, whose closures are copied.");
  command->add_option("--paths-from", options->paths_from, "File with further store paths, one a line.");
  command->add_flag("--published", options->published,
                    "Also copy what published environments lock and the catalog does not have.");
  command->callback(
      [&settings, &work, options] { work = [&settings, options] { run_copy(settings, *options); }; });
}

}  // namespace flox::server
