// flox trust sign: adds a signature to a file that somebody else has begun to sign.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "catalog/signing.h"
#include "cli/catalog_access.h"
#include "cli/say.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustSignOptions {
  std::string file, delegations;
  std::vector<std::string> signers;
  bool dry_run = false;
};

// What this machine knows of the owner of a file.
struct Known {
  trust::TrustStore store;
  std::optional<trust::OwnerRepository> repository;
  trust::Signers signers;

  // `further` keys sign, too, if none are named.
  Known(const std::string& owner, const TrustSignOptions& options, const Config& config,
        const std::vector<std::string>& further = {})
      : store(open_trust(config)) {
    trust::check_owner(owner);
    if (trust::OwnerRepository::exists(store, owner))
      repository.emplace(
          store, owner,
          options.dry_run ? trust::OwnerRepository::Use::read : trust::OwnerRepository::Use::change);
    signers = open_signers(options.signers);
    if (!options.signers.empty() || options.dry_run) return;
    if (repository) signers = repository->kept_signers();
    for (auto& signer : open_signers(further)) signers.push_back(std::move(signer));
    if (!config.signing_private_key.empty())
      signers.push_back(trust::Signer::open(config.signing_private_key));
    if (signers.empty())
      throw Error(ErrorKind::invalid_input, "there is no key here to sign with",
                  "Pass --signer FILE, or set FLOX_SIGNING_PRIVATE_KEY.");
  }
};

void require_added(size_t added, const std::string& what, const std::vector<std::string>& lacking) {
  if (added > 0) return;
  throw Error(ErrorKind::invalid_input, fmt::format("none of the keys may sign {}", what),
              lacking.empty()
                  ? "It has all its signatures."
                  : fmt::format("Pass one of these with --signer: {}.", fmt::join(lacking, ", ")));
}

// Writes the file with its new signature; then the owner's repository takes it over, if it waits there.
template <typename T>
void write(Known& known, const trust::Signed<T>& file, trust::SigningState state,
           const TrustSignOptions& options) {
  const std::string owner = file.content.owner;
  state.path = options.file;
  write_file_synced(options.file, file.to_string());
  trust::ChangeOutcome outcome{.complete = state.complete(), .files = {state}};
  if (known.repository && !known.repository->pending().empty()) {
    try {
      outcome = known.repository->add_signatures_of(file);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;  // it is another one that waits here
    }
  }
  report(outcome, owner);
}

void sign_root(const std::string& text, const TrustSignOptions& options, const Config& config) {
  auto root = trust::Signed<trust::Root>::parse(text, options.file);
  const std::string& owner = root.content.owner;
  const uint64_t version = root.content.version;
  Known known(owner, options, config);
  std::optional<trust::Signed<trust::Root>> before;
  if (version > 1) {
    if (known.repository && known.repository->roots().size() >= version - 1)
      before = known.repository->roots()[version - 2];
    else if (known.store.root_version(owner) == version - 1)
      before = known.store.root(owner);
    else
      throw Error(ErrorKind::not_found,
                  fmt::format("root.json of {} version {} is not known here", owner, version - 1),
                  fmt::format("Accept it first: 'flox trust accept {} FILE'.", owner));
  }
  const trust::Signed<trust::Root>* previous = before ? &*before : nullptr;
  const auto needed = trust::signing_state(root, previous);
  require_added(trust::sign(root, previous, known.signers), needed.what, needed.lacking);
  write(known, root, trust::signing_state(root, previous), options);
}

trust::Root root_of(const Known& known, const std::string& owner) {
  return known.repository ? known.repository->next_root() : known.store.root(owner).content;
}

void sign_targets(const std::string& text, const TrustSignOptions& options, const Config& config) {
  auto targets = trust::Signed<trust::Targets>::parse(text, options.file);
  Known known(targets.content.owner, options, config);
  const trust::Root root = root_of(known, targets.content.owner);
  const auto needed = trust::signing_state(targets, root);
  require_added(trust::sign(targets, root, known.signers), needed.what, needed.lacking);
  write(known, targets, trust::signing_state(targets, root), options);
}

// Who may sign for the owner, from a file.
trust::Targets delegations_in(const std::string& file, const trust::Root& root) {
  const auto targets =
      trust::Signed<trust::Targets>::parse(read_file(file, trust::targets_limits.bytes), file);
  trust::require_signers(targets.message, targets.signatures, root.keys, root.targets, "targets", file);
  if (targets.content.owner != root.owner)
    fail(ErrorKind::untrusted, "{} is of {}, not of {}", file, targets.content.owner, root.owner);
  return targets.content;
}

// Without a catalog all that the file says is new.
catalog::MetadataSigner::Review review(Known& known, const trust::NameFile& file,
                                       const TrustSignOptions& options, const Config& config) {
  if (!options.delegations.empty())
    return {.targets = delegations_in(options.delegations, root_of(known, file.owner)),
            .changes = catalog::changes_of(file, nullptr)};
  if (!config.catalog_url.empty()) {
    catalog::Client client(config.catalog_url, readable_token(config));
    return catalog::MetadataSigner(file.owner, known.signers, known.store, client, !options.dry_run)
        .review(file);
  }
  if (known.repository)
    return {.targets = known.repository->targets().content, .changes = catalog::changes_of(file, nullptr)};
  throw Error(ErrorKind::invalid_input, fmt::format("who may sign for {} is not known here", file.owner),
              "Set FLOX_CATALOG_URL, or pass the owner's targets.json with --delegations FILE.");
}

void sign_name_file(const std::string& text, const TrustSignOptions& options, const Config& config) {
  auto file = trust::Signed<trust::NameFile>::parse(text, options.file);
  const std::string& owner = file.content.owner;
  trust::require_current(file.content, trust::now(), options.file);
  Known known(owner, options, config, config.metadata_keys);
  const auto reviewed = review(known, file.content, options, config);
  say("{} version {} of {}, valid until {}:\n", file.content.name, file.content.version, owner,
      trust::time_text(file.content.expires));
  for (const std::string& change : reviewed.changes) say("  {}\n", change);
  if (reviewed.changes.empty()) say("  (it says what the version before says)\n");
  if (options.dry_run) return;
  const auto before = trust::signing_state(file, reviewed.targets);
  require_added(trust::sign(file, reviewed.targets, known.signers),
                fmt::format("{} of {}", before.what, owner), before.lacking);
  write_file_synced(options.file, file.to_string());
  auto state = trust::signing_state(file, reviewed.targets);
  state.path = options.file;
  report({.complete = state.complete(), .files = {state}}, owner);
}

void sign(const TrustSignOptions& options) {
  const Config config = Config::load();
  const std::string text = read_file(options.file, trust::name_file_limits.bytes);
  const trust::MetadataKind kind = trust::kind_of_metadata(text, options.file);
  if (options.dry_run && kind != trust::MetadataKind::name_file)
    fail_usage("--dry-run is for the file of a package or an environment",
               "'flox trust show' says what waits for signatures.");
  switch (kind) {
    case trust::MetadataKind::root:
      return sign_root(text, options, config);
    case trust::MetadataKind::targets:
      return sign_targets(text, options, config);
    case trust::MetadataKind::name_file:
      return sign_name_file(text, options, config);
    case trust::MetadataKind::timestamp:
      break;
  }
  fail(ErrorKind::invalid_input, "{}: timestamps are signed by the catalog only", options.file);
}

}  // namespace

void add_trust_sign(CLI::App& trust) {
  auto options = std::make_shared<TrustSignOptions>();
  auto* command = trust.add_subcommand("sign", "Add a signature to a metadata file");
  command->add_option("FILE", options->file, "file that still lacks signatures; it is replaced")->required();
  command->add_option(
      "--signer", options->signers,
      "key to sign with: a file (mode 600), or exec:COMMAND (default: the keys that are kept here, and "
      "signing_private_key)");
  command->add_option("--delegations", options->delegations,
                      "targets.json of the owner, for the file of a package or an environment: what the file "
                      "changes is not compared with the catalog then");
  command->add_flag("--dry-run", options->dry_run,
                    "say what the file of a package or an environment changes, and sign nothing");
  command->footer(
      "Examples:\n  flox trust sign 2.root.json --signer ~/keys/bob-1\n"
      "  flox trust sign web.json --dry-run");
  command->callback([options] { sign(*options); });
}

}  // namespace flox::cli
