// flox trust sign: adds a signature to a file that somebody else has begun to sign.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/error.h"
#include "base/os/file.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustSignOptions {
  std::string file, delegations;
  std::vector<std::string> signers;
};

// What this machine knows of the owner of a file.
struct Known {
  trust::TrustStore store;
  std::optional<trust::OwnerRepository> repository;
  trust::Signers signers;

  Known(const std::string& owner, const TrustSignOptions& options, const Config& config)
      : store(open_trust(config)) {
    trust::check_owner(owner);
    if (trust::OwnerRepository::exists(store, owner))
      repository.emplace(store, owner, trust::OwnerRepository::Use::change);
    signers = open_signers(options.signers);
    if (!options.signers.empty()) return;
    if (repository) signers = repository->kept_signers();
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

trust::Targets delegations_of(const Known& known, const std::string& owner, const TrustSignOptions& options) {
  if (options.delegations.empty()) {
    if (known.repository) return known.repository->targets().content;
    throw Error(ErrorKind::invalid_input, fmt::format("who may sign for {} is not known here", owner),
                "Pass the owner's targets.json with --delegations FILE.");
  }
  const auto targets = trust::Signed<trust::Targets>::parse(
      read_file(options.delegations, trust::targets_limits.bytes), options.delegations);
  const trust::Root root = root_of(known, owner);
  trust::require_signers(targets.message, targets.signatures, root.keys, root.targets, "targets",
                         options.delegations);
  return targets.content;
}

void sign_name_file(const std::string& text, const TrustSignOptions& options, const Config& config) {
  auto file = trust::Signed<trust::NameFile>::parse(text, options.file);
  const std::string what = fmt::format("{} of {}", file.content.name, file.content.owner);
  Known known(file.content.owner, options, config);
  const trust::Targets targets = delegations_of(known, file.content.owner, options);
  std::vector<std::string> could;
  for (const trust::DelegatedRole& role : targets.roles)
    if (role.covers(file.content.name))
      for (const std::string& id : role.keyids) could.push_back(trust::describe_key(id, targets.keys));
  const size_t added = trust::sign(file, targets, known.signers);
  require_added(added, what, could);
  write_file_synced(options.file, file.to_string());
  fmt::print(stderr, "✔ Added {} to {} version {}: {}\n", added == 1 ? "a signature" : "signatures", what,
             file.content.version, options.file);
}

void sign(const TrustSignOptions& options) {
  const Config config = Config::load();
  const std::string text = read_file(options.file, trust::name_file_limits.bytes);
  switch (trust::kind_of_metadata(text, options.file)) {
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
                      "targets.json of the owner, for the file of a name (default: as it is kept here)");
  command->footer("Example:\n  flox trust sign 2.root.json --signer ~/keys/bob-1");
  command->callback([options] { sign(*options); });
}

}  // namespace flox::cli
