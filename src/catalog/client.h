// Client of flox-catalog's HTTP API (docs/reference/catalog-api.md).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/data/secret.h"
#include "base/net/form.h"
#include "catalog/environment_name.h"
#include "catalog/model.h"
#include "env/environment.h"

namespace flox::catalog {

// One thread at a time. Every call throws Error(unavailable) if the catalog cannot be reached or what answers
// is not a catalog, with FLOX_CATALOG_URL as advice. Answers are untrusted: at most 16 MiB, 20,000 builds,
// members of the right types; what of them stands in messages is one line of at most 300 characters.
class Client : public env::Resolver {
 public:
  // `url` as "http://host:port", with or without a login, which netrc may have as well (base/net/netrc.h): it
  // is read here. `token` may be empty: then only what is public can be read. Throws Error(invalid_input) for
  // what is no URL.
  explicit Client(std::string url, Secret token = {});
  ~Client() override;

  // URL of the binary cache that the catalog serves, for BinaryCache::open: a login in the configured URL is
  // in this one, too.
  std::string cache_url() const;

  env::LockedPackage resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override;
  // All builds of a package, newest version first. Throws Error(not_found).
  std::vector<PackageBuild> show(std::string_view name);
  // Newest build of each package whose name or description contains the term; only builds for that system if
  // one is given.
  std::vector<PackageBuild> search(std::string_view term, std::string_view system = {});
  // An environment that was pushed, in a generation.
  struct Pushed {
    int64_t generation = 0;
    std::string manifest;  // manifest.toml
    env::Lockfile lock;
  };
  // Throws Error(not_found).
  Pushed environment(const EnvironmentName& name);
  // Pushes its next generation, and gives the number; the latest one's if nothing has changed. Throws
  // Error(untrusted) if the token is refused.
  int64_t push(const EnvironmentName& name, const std::string& manifest, const env::Lockfile& lock);
  // Asks a resource that has no function here: owners, tokens, logins. `body` null: none. Gives the answer's
  // document; `what` is what errors begin with.
  nlohmann::json ask(const std::string& method, const std::string& path, const nlohmann::json& body,
                     std::string_view what);
  // The same with a form (application/x-www-form-urlencoded), without the token.
  nlohmann::json ask_with_form(const std::string& path, const Form& form, std::string_view what);
  // Records a build whose closure the cache already has. Throws Error(conflict) if this version exists with
  // other store paths, untrusted if the token is refused.
  void publish(const PackageBuild& build);

  // Keeps an attestation of a path that the cache has (trust/attestation/envelope.h); false, and nothing
  // changes, if its key has attested the path otherwise before. Throws Error(untrusted) if the token or the
  // signature is refused.
  bool attest(const nix::StorePath& path, const std::string& envelope);
  // Those of the paths that have attestations. Throws Error(not_found) if the catalog keeps none at all.
  nix::StorePathSet attested(const nix::StorePathSet& paths);
  // The envelopes of a path, untrusted, as text; empty if there is none.
  std::vector<std::string> attestations(const nix::StorePath& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::catalog
