// flox show: a package's versions and who signed them.
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>
#include <span>

#include "base/error.h"
#include "base/net/url.h"
#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "nix/signature.h"
#include "node/floxd/config.h"
#include "store/cache/binary_cache.h"
#include "trust/attestation/check.h"

namespace flox::cli {
namespace {

// "x86_64-linux", or "x86_64-linux x86-64-v3" for a variant.
std::string runs_on(const catalog::PackageBuild& build) {
  return build.variant.empty() ? build.system : build.system + " " + printable(build.variant);
}

// Builds of one version, each on what it runs: "x86_64-linux, x86_64-linux x86-64-v3".
std::string systems_of(std::span<const catalog::PackageBuild> builds) {
  std::vector<std::string> systems;
  for (const auto& build : builds) systems.push_back(runs_on(build));
  std::ranges::sort(systems);
  return fmt::format("{}", fmt::join(systems, ", "));
}

// Who signed the build's paths, as far as the configured keys can tell: the name that the catalog gives is
// anybody's to choose, and so is a name in a signature.
std::string signers_of(const catalog::PackageBuild& build, const catalog::Client& catalog) {
  const nix::TrustedKeys keys(Config::load().trusted_keys);
  const std::string claim =
      build.signer.empty() ? "" : fmt::format(" (the catalog says {})", printable(build.signer));
  std::set<std::string> signers;
  try {
    const auto cache = store::BinaryCache::open(catalog.cache_url());
    for (const auto& [output, path] : build.outputs) {
      const auto narinfo = cache->query(path);
      if (!narinfo) return "unknown: the catalog's cache does not have it" + claim;
      const std::string signer = keys.signer_of(narinfo->info);
      if (signer.empty()) return "by no key that you trust" + claim;
      signers.insert(signer);
    }
  } catch (const Error& error) {
    return fmt::format("unknown: {}{}", printable(error.what()), claim);
  }
  return fmt::format("{}", fmt::join(signers, ", "));
}

// How the programs of the build ran in an empty root when it was imported, as far as a trusted key has signed
// that. Empty if nobody has.
std::vector<std::string> programs_of(const catalog::PackageBuild& build, catalog::Client& catalog) {
  constexpr size_t most_shown = 5;
  std::vector<std::string> lines;
  try {
    const auto out = build.outputs.find("out");
    if (out == build.outputs.end()) return {};
    const auto narinfo = store::BinaryCache::open(catalog.cache_url())->query(out->second);
    if (!narinfo) return {};
    const trust::PublicKeys keys = trust::public_keys(Config::load().trusted_keys);
    for (const std::string& envelope : catalog.attestations(out->second)) {
      const auto check = trust::check_attestation(envelope, narinfo->info, keys);
      if (!check.provenance || check.provenance->programs.empty()) continue;
      const auto& programs = check.provenance->programs;
      const auto ran = [](const auto& one) { return one.second == "ran" || one.second.starts_with("ran: "); };
      lines.push_back(fmt::format("{} of {} ran in an empty root, says {}",
                                  std::ranges::count_if(programs, ran), programs.size(), check.signer));
      for (const auto& one : programs) {
        if (ran(one)) continue;
        if (lines.size() > most_shown) {
          lines.push_back("…");
          break;
        }
        lines.push_back(printable(fmt::format("{} {}", one.first, one.second), 120));
      }
      return lines;
    }
  } catch (
      const Error&) {  // a catalog without attestations, or a cache that cannot be asked: "Signed" says so
  }
  return lines;
}

// What the owner has signed of the package, as far as this machine trusts it.
class SignedPackage {
 public:
  SignedPackage(const catalog::PackageBuild& like, catalog::Client& catalog) : owner_(like.owner) {
    if (owner_.empty()) return;
    try {
      const Config config = Config::load();
      trust::TrustStore store(config.trust_directory(), config.trust_state_directory());
      const auto evidence = catalog.evidence(owner_, trust::package_name(like.name));
      if (!evidence) {
        problem_ = owner_ + ", which has signed nothing of it";
        return;
      }
      trust::Verifier verifier(store, trust::now, false);
      verified_ = verifier.verify_package_file(
          catalog::with_newer_roots(
              *evidence, store,
              [&](const std::string& owner, uint64_t version) { return catalog.root(owner, version); }),
          like.name);
    } catch (const Error& error) {
      problem_ = not_verified(error);
    }
  }
  // Whose the build is.
  std::string owner_of(const catalog::PackageBuild& build) const {
    if (owner_.empty()) return "nobody: only nodes with allow_unsigned take it";
    if (!verified_) return problem_;
    try {
      return verified_->of(catalog::record_of(build)).to_string();
    } catch (const Error& error) {
      return not_verified(error);
    }
  }
  // Why the build is yanked: as is signed, or as the catalog says of what is not verified.
  std::optional<std::string> yanked(const catalog::PackageBuild& build) const {
    if (!verified_) return build.yanked;
    const auto found = verified_->file.targets.find(catalog::record_of(build).target_path());
    return found == verified_->file.targets.end() ? build.yanked : found->second.yanked;
  }

 private:
  std::string not_verified(const Error& error) const {
    return fmt::format("{}, not verified: {}", printable(owner_), printable(error.what()));
  }

  std::string owner_, problem_;
  std::optional<trust::VerifiedPackage> verified_;
};

void show(const std::string& package, bool json) {
  if (const size_t at = package.find('@', 1); at != std::string::npos && package[at - 1] != '.')
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' names a version, and all versions of a package are shown", package),
                fmt::format("Run 'flox show {}'.", package.substr(0, at)));
  catalog::Client catalog = configured_catalog();
  auto builds = catalog.show(package);  // newest version first, at least one
  const SignedPackage signed_package(builds.front(), catalog);
  for (auto& build : builds) build.yanked = signed_package.yanked(build);
  if (json) return print_json(builds);
  auto of_version = [&](size_t first) {
    size_t end = first;
    while (end < builds.size() && builds[end].version == builds[first].version) ++end;
    return std::span(builds).subspan(first, end - first);
  };
  // What flox install takes: a release that is not yanked, unless there is none.
  auto taken = std::ranges::find_if(
      builds, [](const auto& build) { return !build.yanked && !catalog::is_pre_release(build.version); });
  if (taken == builds.end())
    taken = std::ranges::find_if(builds, [](const auto& build) { return !build.yanked; });
  auto newest = of_version(taken == builds.end() ? 0 : static_cast<size_t>(taken - builds.begin()));
  const auto& latest = newest.front();
  std::vector<std::string> outputs;
  for (const auto& [output, path] : latest.outputs)
    outputs.push_back(output + "*");  // all are installed by default
  auto or_unknown = [](const std::string& text) { return text.empty() ? "N/A" : printable(text); };
  fmt::print("{} - {}\n", latest.name, or_unknown(latest.description));
  fmt::print("  Catalog:  {}\n", hide_login(Config::load().catalog_url));
  fmt::print("  Owner:    {}\n", signed_package.owner_of(latest));
  fmt::print("  Latest:   {}@{}\n", latest.name, latest.version);
  if (latest.yanked) fmt::print("  Yanked:   {}\n", printable(*latest.yanked));
  fmt::print("  License:  {}\n", or_unknown(latest.license));
  fmt::print("  Outputs:  {} (* installed by default)\n", fmt::join(outputs, ", "));
  fmt::print("  Systems:  {}\n", systems_of(newest));
  fmt::print("  Signed:   {}\n", signers_of(latest, catalog));
  const auto programs = programs_of(latest, catalog);
  for (size_t i = 0; i < programs.size(); ++i)
    fmt::print("  {:<9} {}\n", i == 0 ? "Programs:" : "", programs[i]);
  fmt::print("  Size:     {:.1f} MB with all it needs\n", static_cast<double>(latest.closure_size) / 1e6);
  if (newest.size() == builds.size()) return;
  fmt::print("\n  Other versions:\n");
  for (size_t i = 0; i < builds.size();) {
    auto version = of_version(i);
    i += version.size();
    if (version.data() == newest.data()) continue;
    std::string systems = systems_of(version);
    fmt::print("    {}@{}{}{}\n", version[0].name, version[0].version,
               systems == systems_of(newest) ? "" : fmt::format(" ({} only)", systems),
               version[0].yanked ? fmt::format(" (yanked: {})", printable(*version[0].yanked)) : "");
  }
}

}  // namespace

void add_show(CLI::App& app) {
  struct ShowOptions {
    std::string package;
    bool json = false;
  };
  auto options = std::make_shared<ShowOptions>();
  auto* command = app.add_subcommand("show", "Show the versions of a package and who signed them");
  command->add_option("PACKAGE", options->package, "name of the package")->required();
  command->add_flag("--json", options->json, "print JSON, all builds, newest version first");
  command->footer("Example:\n  flox show python3");
  command->callback([options] { show(options->package, options->json); });
}

}  // namespace flox::cli
