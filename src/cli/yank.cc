// flox yank: no new lock gets the version any more, unless it asks for just that one.
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "catalog/signing.h"
#include "cli/catalog_options.h"
#include "cli/commands.h"
#include "cli/publishing.h"
#include "cli/say.h"
#include "env/manifest.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct YankOptions {
  std::string package, reason;
  bool undo = false;
  CatalogOptions catalog;
  std::string key_file;
  std::vector<std::string> metadata_keys;
};

void yank(const YankOptions& options) {
  const auto [id, descriptor] = env::parse_package(options.package);
  if (!descriptor.version || descriptor.pkg_path.empty())
    fail_usage("flox yank: which version?", "Name one: flox yank PACKAGE@VERSION.");
  if (options.undo != options.reason.empty())
    fail_usage("flox yank: pass either --reason or --undo",
               "Say why with --reason TEXT; everybody who meets the version reads it.");
  const std::optional<std::string> reason = options.undo ? std::nullopt : std::optional(options.reason);
  const std::string& name = descriptor.pkg_path;
  const std::string& version = *descriptor.version;
  catalog::Client client = client_of(options.catalog);
  in_context(fmt::format("{} {} {}", options.undo ? "no longer yanking" : "yanking", name, version), [&] {
    const std::string owner = client.show(name).front().owner;
    bool is_new = true;
    if (owner.empty()) {
      client.yank(name, version, reason);
    } else {
      OwnerSigning signing(Config::load(), owner, options.metadata_keys, options.key_file, client);
      is_new = catalog::yank_signed(signing.require(), client, name, version, reason);
    }
    say("{} {} {} {}{}\n", is_new ? "✔" : "!", name, version,
        options.undo ? "is no longer yanked" : "is yanked: " + options.reason, is_new ? "" : " (as before)");
    if (owner.empty())
      say("! {} is nobody's: nodes only have the catalog's word for it\n", name);
    else
      say("  signed for {}\n", owner);
  });
}

}  // namespace

void add_yank(CLI::App& app) {
  auto options = std::make_shared<YankOptions>();
  auto* command =
      app.add_subcommand("yank", "Withdraw a version, with a reason: new locks do not get it any more");
  command->add_option("PACKAGE", options->package, "NAME@VERSION, all of its builds")->required();
  command->add_option("--reason", options->reason, "why, for everybody who meets the version");
  command->add_flag("--undo", options->undo, "let it be chosen again");
  add_catalog_options(*command, options->catalog);
  add_signing_key(*command, options->key_file);
  add_metadata_keys(*command, options->metadata_keys);
  command->footer(
      "Examples:\n  flox yank web@1.2 --reason 'it loses uploads; use 1.2.1'\n  flox yank web@1.2 --undo\n\n"
      "Who has locked the version keeps it, and who asks for NAME@VERSION gets it, with a warning.");
  command->callback([options] { yank(*options); });
}

}  // namespace flox::cli
