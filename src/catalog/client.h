// Client of flox-catalog's HTTP API (docs/reference/catalog-api.md).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/data/secret.h"
#include "base/net/form.h"
#include "catalog/environment_name.h"
#include "catalog/model.h"
#include "catalog/start_profile.h"
#include "env/environment.h"
#include "env/locking.h"
#include "trust/name_tree.h"
#include "trust/verifier.h"

namespace flox::catalog {

// A package as the catalog resolves it, with what its owner has signed of it. Nothing of it is verified: see
// AnswerVerifier.
struct Resolved {
  env::LockedPackage package;
  std::optional<trust::Evidence> evidence;           // none: nobody's package
  std::optional<std::string> yanked = std::nullopt;  // the reason, as the catalog has it; one printable line
};

// An environment that was pushed, in a generation; the same.
struct Pushed {
  int64_t generation = 0;
  std::string manifest;  // manifest.toml
  env::Lockfile lock;
  std::optional<trust::Evidence> evidence;
  std::string pushed_at;  // RFC 3339, as the catalog says
  std::string tag;        // its entity tag, for Client::push
};

// One of the generations that an environment has.
struct ListedGeneration {
  int64_t number = 0;
  std::string pushed_at;  // one printable line, as the catalog says
};

// Of several threads one is served after the other. Every call throws Error(unavailable) if the catalog
// cannot be reached or what answers is not a catalog, with the setting of its URL as advice. A catalog that
// is too busy is waited for, half a minute at most; what is known and has not changed is not sent again.
// Answers are untrusted: at most 16 MiB each, 20,000 elements of a list, members of the right types; what of
// them stands in messages is one line of at most 300 characters.
class Client {
 public:
  // `url` as "http://host:port", with or without a login, which netrc may have as well (base/net/netrc.h): it
  // is read here. `token` may be empty: then only what is public can be read. `setting`: what the URL comes
  // from, for messages. Throws Error(invalid_input) for what is no URL.
  explicit Client(std::string url, Secret token = {}, std::string setting = "FLOX_CATALOG_URL");
  ~Client();

  // URL of the binary cache that the catalog serves, for BinaryCache::open: a login in the configured URL is
  // in this one, too.
  std::string cache_url() const;

  Resolved resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                   std::string_view system);
  // The same for many, in their order, a hundred in one request: the answer to each is what resolve() gives
  // for it, or the Error that it throws, not_found or invalid_input (what the catalog refuses of this
  // question alone). Throws whatever else resolve() throws.
  using ResolvedOrMissing = std::variant<Resolved, Error>;
  std::vector<ResolvedOrMissing> resolve_all(std::span<const env::PackageQuestion> questions);
  // All builds of a package, newest version first. Throws Error(not_found).
  std::vector<PackageBuild> show(std::string_view name);
  // Newest build of each package whose name or description contains the term; only builds for that system if
  // one is given.
  std::vector<PackageBuild> search(std::string_view term, std::string_view system = {});
  // Throws Error(not_found).
  Pushed environment(const EnvironmentName& name);
  // The latest generation, whichever `name` names; nothing if there is none yet.
  std::optional<Pushed> latest_generation(const EnvironmentName& name);
  // Those that it has, newest first. Throws Error(not_found).
  std::vector<ListedGeneration> generations(const EnvironmentName& name);
  // Pushes its next generation, and gives the number; the latest one's if nothing has changed. `name_file` is
  // the generation's, signed; empty: it is not signed. Only `upon` that generation, as latest_generation()
  // gave it: if it is not the latest any more, it is Error(conflict). Throws Error(untrusted) if the token or
  // the name file is refused, conflict if somebody has pushed meanwhile.
  int64_t push(const EnvironmentName& name, const std::string& manifest, const env::Lockfile& lock,
               const std::string& name_file, const std::optional<Pushed>& upon);
  enum class Patience { usual, long_work };  // a minute; for as long as the catalog works on it
  // Asks a resource that has no function here: owners, tokens, logins. `body` null: none. Gives the answer's
  // document; `what` is what errors begin with.
  nlohmann::json ask(const std::string& method, const std::string& path, const nlohmann::json& body,
                     std::string_view what, Patience patience = Patience::usual);
  // The elements of such a resource's list, of all its pages.
  nlohmann::json ask_all(const std::string& path, std::string_view what);
  // The same as ask() with a form (application/x-www-form-urlencoded), without the token.
  nlohmann::json ask_with_form(const std::string& path, const Form& form, std::string_view what);
  // Records a build whose closure the cache already has; `name_file` is its package's, signed, that lists it,
  // if it has an owner. Throws Error(conflict) if this version exists with other store paths or somebody has
  // published meanwhile, untrusted if the token or the name file is refused. False if it was recorded before.
  bool publish(const PackageBuild& build, const std::string& name_file = {});

  // Yanks all builds of the version for that reason; without one: no longer. `name_file` as above, if the
  // package has an owner. Throws Error(not_found) if there is no such version, untrusted and conflict as
  // above.
  void yank(const std::string& package, const std::string& version, const std::optional<std::string>& reason,
            const std::string& name_file = {});

  // The key with which this catalog signs timestamps: for an owner's root.
  nix::PublicKey online_key();
  // root.json of that version, or the newest; targets.json, as the catalog has them. Nothing: it has none.
  std::optional<std::string> root(std::string_view owner, std::optional<uint64_t> version = {});
  std::optional<std::string> targets(std::string_view owner);
  // What is signed of that name ("packages/web"). Without a name file if the name is new; nothing if the
  // owner has no root there.
  std::optional<trust::Evidence> evidence(std::string_view owner, std::string_view name);
  // All names of the owner that may be seen, with its timestamp, not verified; nothing as above.
  std::optional<trust::NameTree> names(std::string_view owner);
  // Throws Error(untrusted) if the token or the file is refused, conflict if its version is not the next.
  void put_root(std::string_view owner, const std::string& text);
  void put_targets(std::string_view owner, const std::string& text);

  // Keeps an attestation of a path that the cache has (trust/attestation/envelope.h); false, and nothing
  // changes, if its key has attested the path otherwise before. Throws Error(untrusted) if the token or the
  // signature is refused.
  bool attest(const nix::StorePath& path, const std::string& envelope);
  // Those of the paths that have attestations. Throws Error(not_found) if the catalog keeps none at all.
  nix::StorePathSet attested(const nix::StorePathSet& paths);
  // The envelopes of a path, untrusted, as text; empty if there is none.
  std::vector<std::string> attestations(const nix::StorePath& path);

  // What starts of it read first, as it was published; nothing: nothing was, or there is no such name. `name`
  // is "OWNER/NAME" of an environment, or a package's.
  std::optional<StartProfile> start_profile(std::string_view name);
  // Adds it to what is published. Gives the size of what there is now. Throws Error: untrusted if the token
  // is refused, not_found, invalid_input for a profile of other packages.
  StartProfile::Size publish_start_profile(std::string_view name, const StartProfile& profile);
  // Throws Error(not_found) if there is none.
  void remove_start_profile(std::string_view name);

 private:
  std::optional<std::string> trust_file(const std::string& path);
  void put_trust_file(std::string_view owner, const char* file, const std::string& text);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::catalog
