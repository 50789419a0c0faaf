#include "package/record/provenance.h"

#include <unistd.h>

#include <array>
#include <cctype>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/rfc3339.h"

namespace flox::package {
namespace {

// "urn:flox-imageless:builder:HOST", of this machine.
std::string this_builder() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  std::string result = "urn:flox-imageless:builder:";
  for (const char c : std::string_view(name.data()))
    result += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ? c : '-';
  return result;
}

}  // namespace

nix::PathInfo info_of_input(const store::LocalStore& store, const nix::StorePath& path) {
  auto info = store.query(path);
  if (!info) fail(ErrorKind::not_found, "{} has been collected meanwhile", path.to_string());
  return *std::move(info);
}

trust::BuildInput path_input(const store::LocalStore& store, const nix::StorePath& path, const char* role) {
  return {.name = path.to_string(),
          .uri = {},
          .digests = {{"sha256", to_hex(bytes_of(info_of_input(store, path).nar_hash))}},
          .notes = {{"role", role}}};
}

trust::BuildProvenance begin_provenance(const nix::PathInfo& info, const catalog::PackageBuild& build,
                                        std::time_t started_at) {
  trust::BuildProvenance provenance{.path = info.path, .nar_hash = info.nar_hash};
  provenance.package = build.name;
  provenance.version = build.version;
  provenance.system = build.system;
  provenance.sandbox = "none";
  provenance.builder = this_builder();
  provenance.builder_version = FLOX_VERSION;
  provenance.started_at = rfc3339(started_at);
  provenance.finished_at = rfc3339(std::time(nullptr));
  return provenance;
}

void end_inputs(trust::BuildProvenance& provenance, const store::LocalStore& store, const nix::PathInfo& info,
                const nix::StorePathSet& known) {
  for (const nix::StorePath& reference : info.references)
    if (reference != info.path && !known.contains(reference))
      provenance.inputs.push_back(path_input(store, reference, "runtime"));
  if (provenance.inputs.size() > trust::BuildProvenance::most_inputs)
    fail(ErrorKind::invalid_input, "it has {} inputs; provenance holds {}", provenance.inputs.size(),
         trust::BuildProvenance::most_inputs);
}

}  // namespace flox::package
