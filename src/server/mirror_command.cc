#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/settings/read.h"
#include "base/settings/units.h"
#include "server/api/attestations.h"
#include "server/commands.h"
#include "server/storage.h"
#include "server/transfer/mirror.h"
#include "trust/settings.h"
#include "trust/trust_store.h"

namespace flox::server {
namespace {

struct MirrorCommand {
  std::string url;
  std::vector<std::string> names;
  trust::TrustSettings trust;
};

// Several patterns of one owner are one wish.
std::vector<MirrorWish> wishes_of(const std::vector<std::string>& names) {
  std::map<std::string, MirrorWish> wishes;
  for (const std::string& name : names) {
    MirrorWish wish = MirrorWish::parse(name);
    const auto [known, is_new] = wishes.try_emplace(wish.owner, wish);
    if (is_new || known->second.patterns.empty()) continue;
    if (wish.patterns.empty()) known->second.patterns.clear();
    for (std::string& pattern : wish.patterns) known->second.patterns.push_back(std::move(pattern));
  }
  std::vector<MirrorWish> result;
  for (auto& [owner, wish] : wishes) result.push_back(std::move(wish));
  return result;
}

void tell(const std::string& owner, const MirrorResult& result) {
  fmt::print("mirrored {}: new are {}, {} and {} ({}), valid until {}\n", owner,
             count_text(result.packages, "package"), count_text(result.generations, "generation"),
             count_text(result.paths, "store path"), count_text(result.bytes, "byte"),
             trust::time_text(result.expires));
  if (result.gone > 0)
    log::warning("gone here, because no longer public there: {} of {}", count_text(result.gone, "name"),
                 owner);
  if (result.removed_generations > 0)
    log::info("left out, because retention has removed it there: {} of {}",
              count_text(result.removed_generations, "generation"), owner);
  if (result.unsigned_generations > 0)
    log::warning("left out, because {} has not signed it: {}", owner,
                 count_text(result.unsigned_generations, "generation"));
}

void require_all(const std::string& owner, const MirrorResult& result) {
  if (result.left_out.empty()) return;
  const auto& [name, error] = result.left_out.front();
  throw Error(error.kind(),
              fmt::format("mirroring {}: {} of its names are left out: {}: {}", owner, result.left_out.size(),
                          name, error.what()),
              error.advice());
}

void run_mirror(const ServerSettings& settings, const MirrorCommand& command) {
  const RegisteredKeys keys = required_keys(settings, "mirror");
  const std::vector<MirrorWish> wishes = wishes_of(command.names);
  TransferStorage into(settings, keys);
  AttestationRecords attestation_records(*into.database);
  Attestations attestations(attestation_records, into.cache, keys);
  catalog::Client client(command.url, {}, "the URL on the command line");
  const auto source_cache = store::BinaryCache::open(client.cache_url());
  trust::TrustStore trust(command.trust.trust_directory(), command.trust.trust_state_directory());
  // One owner, or one name, that is refused keeps no other from coming.
  std::optional<Error> failed;
  for (const MirrorWish& wish : wishes) try {
      const MirrorResult result = mirror(
          wish, {.client = client, .cache = *source_cache, .trust = trust},
          {.database = *into.database, .cache = into.cache, .keys = keys, .attestations = attestations});
      tell(wish.owner, result);
      require_all(wish.owner, result);
    } catch (const Error& error) {
      if (failed)
        log::error("{}", error.what());
      else
        failed = error;
    }
  if (failed) throw Error(*failed);
}

}  // namespace

void add_mirror_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work) {
  auto* command = app.add_subcommand("mirror", "Mirror what owners have signed in another catalog.");
  command->fallthrough();
  command->footer(
      "Takes what is public and new there since the last time, verified as a node verifies it. The owner "
      "must\n"
      "be trusted here (flox trust accept), and --trusted-key must name keys that signed the store paths. "
      "Nodes\n"
      "refuse a mirror's answers once the owner's timestamp has expired (a day): run it every few hours.\n\n"
      "Example:\n"
      "  flox-catalog mirror https://catalog.example.org 'acme/packages/web*' 'acme/environments/*' \\\n"
      "    --data /var/lib/flox/catalog --trusted-key \"$(cat acme-1.pub)\"");
  const auto options = std::make_shared<MirrorCommand>();
  SettingGroup* const groups[] = {&options->trust};
  read_variables(groups);
  command->add_option("URL", options->url, "URL of the other catalog.")->required();
  command->add_option("NAME", options->names, "OWNER, OWNER/packages/PATTERN or OWNER/environments/PATTERN.")
      ->required();
  command->add_option(
      "--trust-dir", options->trust.trust_dir,
      "Directory of the owners that are trusted: OWNER/root.json (default: as for flox trust).");
  command->add_option("--trust-state-dir", options->trust.trust_state_dir,
                      "Directory of the versions that were seen (default: as for flox trust).");
  command->callback(
      [&settings, &work, options] { work = [&settings, options] { run_mirror(settings, *options); }; });
}

}  // namespace flox::server
