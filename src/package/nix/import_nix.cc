#include "package/nix/import_nix.h"

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "package/debian/import_rules.h"
#include "package/record/provenance.h"
#include "store/cache/cache_url.h"
#include "store/realise/copy_from_store.h"
#include "store/realise/realise.h"

namespace flox::package {

namespace fs = std::filesystem;

namespace {

// As SLSA's buildType: the paths were taken as another built them.
constexpr std::string_view path_import_type = "urn:flox-imageless:import-path:v1";

constexpr int max_links = 40;

bool all_present(const store::LocalStore& store, const nix::StorePathSet& paths) {
  return std::ranges::all_of(paths, [&](const nix::StorePath& path) { return store.is_valid(path); });
}

trust::BuildInput input_of(const store::LocalStore& store, const nix::StorePath& path,
                           const PathSource& source) {
  trust::BuildInput input = path_input(store, path, "imported");
  const nix::PathInfo info = info_of_input(store, path);
  if (source.caches.caches.size() == 1) input.uri = store::CacheUrl::parse(source.caches.caches.front()).text;
  if (const std::string signer = source.caches.trusted_keys.signer_of(info); !signer.empty())
    input.notes.emplace("signed-by", signer);
  if (info.deriver) input.notes.emplace("deriver", info.deriver->to_string());
  return input;
}

trust::BuildProvenance describe(const store::LocalStore& store, const PathImport& import,
                                const PathSource& source, std::time_t started_at) {
  const auto out = import.build.outputs.find("out");
  const nix::StorePath& subject =
      out == import.build.outputs.end() ? import.build.outputs.begin()->second : out->second;
  const nix::PathInfo info = info_of_input(store, subject);
  trust::BuildProvenance provenance = begin_provenance(info, import.build, started_at);
  provenance.build_type = path_import_type;
  provenance.command = import.command;
  nix::StorePathSet known;
  for (const auto& [output, path] : import.build.outputs)
    if (known.insert(path).second) provenance.inputs.push_back(input_of(store, path, source));
  end_inputs(provenance, store, info, known);
  return provenance;
}

}  // namespace

NameAndVersion split_store_name(std::string_view name) {
  for (size_t at = name.find('-'); at != std::string_view::npos && at + 1 < name.size();
       at = name.find('-', at + 1)) {
    const char next = name[at + 1];
    const bool is_letter = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
    if (at > 0 && !is_letter) return {std::string(name.substr(0, at)), std::string(name.substr(at + 1))};
  }
  return {std::string(name), {}};
}

nix::StorePath store_path_meant(const std::string& text) {
  fs::path path = text;
  for (int step = 0; step < max_links; ++step) {
    if (path.string().starts_with(std::string(nix::store_dir) + "/"))
      return nix::StorePath::containing(path.string());
    std::error_code none;
    const fs::path target = fs::read_symlink(path, none);
    if (none) break;
    path = target.is_absolute() ? target : path.parent_path() / target;
  }
  throw Error(ErrorKind::invalid_input, fmt::format("'{}' is neither a store path nor a link to one", text),
              "Pass /nix/store/…, a link such as ./result, or a flake's output such as nixpkgs#jq.");
}

void obtain_paths(store::LocalStore& store, const nix::StorePathSet& paths, const PathSource& source) {
  store.add_temp_roots(paths);
  if (all_present(store, paths)) return;
  if (source.nix_root) {
    if (!fs::exists(*source.nix_root / "nix/var/nix/db/db.sqlite"))
      throw Error(ErrorKind::not_found,
                  fmt::format("{} is not the root of a Nix store: it has no nix/var/nix/db/db.sqlite",
                              source.nix_root->string()),
                  "Pass the directory that has nix/store: / for Nix's own.");
    const store::LocalStore other(*source.nix_root);
    if (all_present(other, paths)) {
      store::copy_from_store(other, store, paths);
      return;
    }
  }
  if (source.caches.caches.empty()) {
    const auto missing =
        std::ranges::find_if(paths, [&](const nix::StorePath& path) { return !store.is_valid(path); });
    throw Error(ErrorKind::not_found, fmt::format("{} is not in the store", missing->to_string()),
                "Pass --from URL with a binary cache that has it, or --nix-store DIR.");
  }
  store::realise(store, paths, source.caches);
}

ImportedPackage import_paths(store::LocalStore& store, const PathImport& import, const PathSource& source) {
  const std::time_t started_at = std::time(nullptr);
  ImportedPackage imported;
  imported.build = import.build;
  imported.build.license = recorded_license(imported.build.license);
  nix::StorePathSet paths;
  for (const auto& [output, path] : import.build.outputs) {
    paths.insert(path);
    keep_import(store, fmt::format("nix-{}-{}-{}", import.build.name, output, import.build.system), path);
  }
  imported.build.closure_size = store.closure_size(store.closure(paths));
  if (import.run_programs && import.build.system == system_of_this_machine()) {
    imported.programs.emplace();
    for (const nix::StorePath& path : paths) {
      const auto results = smoke_run(store, path, ImportRules::built_in().failures);
      imported.programs->insert(imported.programs->end(), results.begin(), results.end());
    }
  }
  if (import.with_provenance) imported.provenance = describe(store, import, source, started_at);
  record_programs(imported);
  return imported;
}

}  // namespace flox::package
