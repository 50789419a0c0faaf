// flox trust accept: makes this machine trust an owner.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/error.h"
#include "base/os/file.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustAcceptOptions {
  std::string owner, fingerprint;
  std::vector<std::string> files, packages;
};

constexpr size_t shortest_fingerprint = 64;  // digits: all of them
void describe(const trust::Root& root, const char* name, const trust::Role& role) {
  std::vector<std::string> keys;
  for (const std::string& id : role.keyids) keys.push_back(trust::describe_key(id, root.keys));
  fmt::print("  {:<10} {} of {}\n", name, role.threshold, fmt::join(keys, ", "));
}

void accept(const TrustAcceptOptions& options) {
  const Config config = Config::load();
  trust::TrustStore store = open_trust(config);
  std::vector<std::string> chain;
  for (const std::string& file : options.files) chain.push_back(read_file(file, trust::root_limits.bytes));
  const auto root = trust::Signed<trust::Root>::parse(chain.back(), options.files.back());
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
  fmt::print("  may say what these are: the environments {}/*, the packages {}\n", options.owner,
             fmt::join(store.package_patterns(options.owner), ", "));
}

}  // namespace

void add_trust_accept(CLI::App& trust) {
  auto options = std::make_shared<TrustAcceptOptions>();
  auto* command = trust.add_subcommand("accept", "Trust an owner on this machine");
  add_owner(*command, options->owner);
  command
      ->add_option("FILE", options->files,
                   "root.json of the owner; to replace an older one, all versions since, ascending")
      ->required();
  command->add_option("--fingerprint", options->fingerprint,
                      "what the owner says that its fingerprint is, 64 digits: anything else is refused");
  command->add_option("--packages", options->packages,
                      "patterns of the packages that the owner may say (default: as before, or '*')");
  command->footer(
      "Examples:\n  flox trust accept acme root.json --fingerprint 3f2a…\n"
      "  flox trust accept acme root.json --packages 'acme-*'");
  command->callback([options] { accept(*options); });
}

}  // namespace flox::cli
