// manifest.toml, read and edited. Input: an install id, a version, the manifest, with NULs between.
#include "env/compose.h"
#include "env/manifest_edit.h"
#include "env/services.h"
#include "fuzz.h"

namespace flox::fuzz::of_manifest {
namespace {

bool same(const env::InstallDescriptor& a, const env::InstallDescriptor& b) {
  return a.pkg_path == b.pkg_path && a.version == b.version && a.store_path == b.store_path;
}

}  // namespace

void one(std::string_view input) {
  const std::string id(take_until(input, '\0'));
  const std::string version(take_until(input, '\0'));
  accepts([&] { require(!env::parse_package(id).install_id.empty(), "a package has an install id"); });
  std::optional<env::Manifest> manifest;
  if (!accepts([&] { manifest = env::Manifest::parse(input, "manifest.toml"); })) return;
  const auto from_lock = env::Manifest::from_json(manifest->json);
  require(from_lock.json == manifest->json && from_lock.vars == manifest->vars &&
              from_lock.hook_on_activate == manifest->hook_on_activate,
          "the lock's copy reads as the manifest does");

  // What includes itself says what it says, apart from scripts, which follow each other.
  accepts([&] {
    const size_t included = env::includes_of(*manifest).size();
    const auto composed =
        env::compose(manifest->json,
                     {{.name = "low", .manifest = manifest->json, .descriptor = nlohmann::json::object()}});
    require(!composed.manifest.contains("include"), "a composed manifest includes nothing");
    require(composed.manifest.value("install", nlohmann::json()) ==
                    manifest->json.value("install", nlohmann::json()) &&
                composed.manifest.value("vars", nlohmann::json()) ==
                    manifest->json.value("vars", nlohmann::json()) &&
                composed.manifest.value("options", nlohmann::json()) ==
                    manifest->json.value("options", nlohmann::json()),
            "what two say alike is said once");
    require(env::compose(manifest->json, {}).warnings.empty() && included <= 100, "nothing overrides itself");
  });
  accepts([&] { env::parse_services(input); });
  env::Services services;
  const auto in_json = manifest->json.find("services");
  if (in_json != manifest->json.end() && accepts([&] { services = env::services_from_json(*in_json, ""); }))
    require(env::parse_services(env::to_text(services)) == services,
            "the profile's copy reads as the manifest");

  env::InstallDescriptor wanted{.pkg_path = "web", .version = version};
  std::string edited;
  if (!accepts([&] { edited = env::with_install(input, id, wanted); })) return;
  env::Manifest after;
  require(accepts([&] { after = env::Manifest::parse(edited, "manifest.toml"); }),
          "an edited manifest can be read");
  require(after.install.contains(id) && same(after.install.at(id), wanted), "what was installed is there");
  for (const auto& [other, descriptor] : manifest->install)
    if (other != id)
      require(after.install.contains(other) && same(after.install.at(other), descriptor), "the others stay");
  require(after.vars == manifest->vars && after.hook_on_activate == manifest->hook_on_activate &&
              after.build.size() == manifest->build.size(),
          "the rest stays");
}

}  // namespace flox::fuzz::of_manifest
