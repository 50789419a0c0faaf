// flox trust accept: makes this machine trust an owner.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "cli/catalog_access.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustAcceptOptions {
  std::string owner, fingerprint;
  std::vector<std::string> files, packages;
  bool from_catalog = false;
};

constexpr size_t shortest_fingerprint = 64;  // digits: all of them
constexpr uint64_t most_roots = 1'000;

// The roots above the one that is trusted here, or the newest alone.
std::vector<std::string> roots_of_catalog(const std::string& owner, uint64_t trusted, const Config& config) {
  catalog::Client catalog(config.catalog_url, readable_token(config));
  const auto newest = catalog.root(owner);
  if (!newest) fail(ErrorKind::not_found, "the catalog has no root of {}", owner);
  const uint64_t version =
      trust::Signed<trust::Root>::parse(*newest, "root.json of the catalog").content.version;
  if (trusted == 0 || version <= trusted) return {*newest};
  if (version - trusted > most_roots)
    fail(ErrorKind::invalid_input, "the catalog has more than {} roots of {} above version {}", most_roots,
         owner, trusted);
  std::vector<std::string> chain;
  for (uint64_t next = trusted + 1; next < version; ++next)
    if (auto root = catalog.root(owner, next))
      chain.push_back(std::move(*root));
    else
      fail(ErrorKind::not_found, "the catalog lacks version {} of the root of {}", next, owner);
  chain.push_back(*newest);
  return chain;
}

void describe(const trust::Root& root, const char* name, const trust::Role& role) {
  std::vector<std::string> keys;
  for (const std::string& id : role.keyids) keys.push_back(trust::describe_key(id, root.keys));
  fmt::print("  {:<10} {} of {}\n", name, role.threshold, fmt::join(keys, ", "));
}

void accept(const TrustAcceptOptions& options) {
  if (options.from_catalog == !options.files.empty())
    fail_usage("pass either FILE or --from-catalog",
               "Take the root from the catalog with --from-catalog --fingerprint HEX, which the owner tells "
               "you.");
  if (options.from_catalog && options.fingerprint.empty())
    fail_usage("--from-catalog needs --fingerprint: whoever runs the catalog could send another root",
               "Ask the owner: 'flox trust show OWNER' prints it.");
  const Config config = Config::load();
  trust::TrustStore store = open_trust(config);
  std::vector<std::string> chain;
  if (options.from_catalog)
    chain = roots_of_catalog(options.owner, store.root_version(options.owner), config);
  for (const std::string& file : options.files) chain.push_back(read_file(file, trust::root_limits.bytes));
  const auto root = trust::Signed<trust::Root>::parse(
      chain.back(), options.from_catalog ? "root.json of the catalog" : options.files.back());
  const std::string fingerprint = trust::fingerprint_of(root);
  if (!options.fingerprint.empty() && options.fingerprint != fingerprint)
    throw Error(ErrorKind::untrusted,
                fmt::format("the root of {} has the fingerprint {}, not {}", options.owner, fingerprint,
                            options.fingerprint),
                options.fingerprint.size() < shortest_fingerprint
                    ? "Pass all 64 digits."
                    : "Ask the owner which one is right, and do not trust this one before you know.");
  trust::require_current(root.content, trust::now(), "root.json");
  store.accept(options.owner, chain, options.packages);
  fmt::print("{} is trusted: root.json version {}, until {}\n  fingerprint {}\n", options.owner,
             root.content.version, trust::time_text(root.content.expires), fingerprint);
  describe(root.content, "root", root.content.root);
  describe(root.content, "targets", root.content.targets);
  describe(root.content, "timestamp", root.content.timestamp);
  for (const std::string& other : store.owners())
    if (other != options.owner && trust::look_of(other) == trust::look_of(options.owner))
      warn_on_stderr(fmt::format("{} could be taken for {}, who is trusted here, too", options.owner, other));
  fmt::print("  may say what these are: the environments {}/*, the packages {}\n", options.owner,
             fmt::join(store.package_patterns(options.owner), ", "));
}

}  // namespace

void add_trust_accept(CLI::App& trust) {
  auto options = std::make_shared<TrustAcceptOptions>();
  auto* command = trust.add_subcommand("accept", "Trust an owner on this machine");
  add_owner(*command, options->owner);
  command->add_option("FILE", options->files,
                      "root.json of the owner; to replace an older one, all versions since, ascending");
  command->add_flag("--from-catalog", options->from_catalog, "take it from the configured catalog");
  command->add_option("--fingerprint", options->fingerprint,
                      "what the owner says that its fingerprint is, 64 digits: anything else is refused");
  command->add_option("--packages", options->packages,
                      "patterns of the packages that the owner may say (default: as before, or '*')");
  command->footer(
      "Examples:\n  flox trust accept acme --from-catalog --fingerprint 3f2a…\n"
      "  flox trust accept acme root.json --packages 'acme-*'");
  command->callback([options] { accept(*options); });
}

}  // namespace flox::cli
