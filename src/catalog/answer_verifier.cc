#include "catalog/answer_verifier.h"

#include <algorithm>
#include <future>
#include <iterator>

#include "base/error.h"
#include "base/printable.h"
#include "catalog/choice.h"
#include "catalog/cpu_level.h"
#include "trust/names.h"

namespace flox::catalog {
namespace {

constexpr size_t asked_at_once = 50;  // packages: four requests for 40 packages of four systems
constexpr const char* advice_for_unsigned =
    "Ask its publisher to sign it: flox publish --owner OWNER, flox push. For development, set "
    "allow_unsigned = true.";

std::string advice_to_trust(const std::string& owner) {
  return fmt::format(
      "If you know {} and its root's fingerprint, run '{}'. For development, set allow_unsigned = true.",
      owner, trust::accept_command(owner));
}

[[noreturn]] void refuse(std::string why) {
  throw Error(
      ErrorKind::untrusted, std::move(why),
      "Something between this machine and the owner has changed the answer, or the catalog is broken: "
      "tell its operator.");
}

// The builds that the owner has signed, as the catalog chooses among them.
std::vector<PackageBuild> signed_builds(const trust::NameFile& file, const std::string& package) {
  std::vector<PackageBuild> builds;
  for (const auto& [path, target] : file.targets) {
    const size_t first = path.find('/');
    const size_t second = path.find('/', first + 1);
    if (second == std::string::npos) continue;
    PackageBuild build;
    build.name = package;
    build.version = path.substr(0, first);
    build.system = path.substr(first + 1, second - first - 1);
    build.variant = path.substr(second + 1);
    if (build.variant == "any") build.variant.clear();
    build.yanked = target.yanked;
    for (const auto& [output, store_path] : target.outputs)
      build.outputs.emplace(output, nix::StorePath::parse(store_path));
    builds.push_back(std::move(build));
  }
  std::ranges::sort(builds, goes_before);
  return builds;
}

std::string variant_of(const env::LockedPackage& package) {
  const auto found = package.json.find("variant");
  return found != package.json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string build_name(std::string_view version, std::string_view variant) {
  return variant.empty() ? printable(version)
                         : fmt::format("{} ({})", printable(version), printable(variant));
}

// All outputs are installed: an answer that leaves one out would be another package.
bool installs_all_outputs(const env::LockedPackage& package) {
  return package.outputs_to_install.empty() || std::ranges::all_of(package.outputs, [&](const auto& output) {
           return std::ranges::find(package.outputs_to_install, output.first) !=
                  package.outputs_to_install.end();
         });
}

trust::KeptEvidence kept_of(const trust::Evidence& evidence, const AnswerVerifier::Newest& newest) {
  return {.owner = evidence.owner,
          .targets = newest.targets.empty() ? evidence.targets : newest.targets,
          .name_file = evidence.name_file,
          .newest = newest.name_file};
}

}  // namespace

std::string to_string(const Origin& origin) {
  return origin ? origin->to_string() : "not signed by a trusted owner (allow_unsigned)";
}

trust::Evidence with_newer_roots(trust::Evidence evidence, const trust::TrustStore& store,
                                 const trust::RootSource& root) {
  evidence.roots =
      trust::roots_above(evidence.owner, store.root_version(evidence.owner), evidence.timestamp, root);
  return evidence;
}

AnswerVerifier::AnswerVerifier(const trust::TrustSettings& settings, Options options)
    : allow_unsigned_(settings.allow_unsigned),
      options_(std::move(options)),
      store_(settings.trust_directory(), settings.trust_state_directory()),
      verifier_(store_, options_.clock, options_.remember, options_.root) {}

Origin AnswerVerifier::unsigned_answer(const std::string& what, const std::string& why,
                                       const std::string& advice) const {
  if (!allow_unsigned_) throw Error(ErrorKind::untrusted, fmt::format("{}: {}", what, why), advice);
  options_.warn(fmt::format("allow_unsigned: {} is used although {}", what, why));
  return std::nullopt;
}

Origin AnswerVerifier::check(const Resolved& answer, std::string_view install_id,
                             const env::InstallDescriptor& descriptor, std::string_view system) {
  return check_by(
      [&](const trust::Evidence& evidence) {
        return verifier_.verify_package_file(evidence, descriptor.pkg_path);
      },
      answer, install_id, descriptor, system);
}

Origin AnswerVerifier::check_kept(const Resolved& answer, std::string_view install_id,
                                  const env::InstallDescriptor& descriptor, std::string_view system,
                                  const Newest& newest) {
  return check_by(
      [&](const trust::Evidence& evidence) {
        return verifier_.verify_kept_package_file(kept_of(evidence, newest), descriptor.pkg_path);
      },
      answer, install_id, descriptor, system);
}

Origin AnswerVerifier::check_by(const PackageFile& verified_file, const Resolved& answer,
                                std::string_view install_id, const env::InstallDescriptor& descriptor,
                                std::string_view system) const {
  const std::string what = fmt::format("package '{}'", printable(descriptor.pkg_path));
  // That it was yanked is then no more certain than the rest.
  const auto as_unsigned = [&](const std::string& why, const std::string& advice) {
    Origin nobody = unsigned_answer(what, why, advice);
    if (answer.yanked)
      options_.warn(fmt::format("{} {} was yanked: {}", what, printable(answer.package.version),
                                printable(*answer.yanked)));
    return nobody;
  };
  if (!answer.evidence) return as_unsigned("no owner has signed it", advice_for_unsigned);
  if (!store_.trusts(answer.evidence->owner))
    return as_unsigned(fmt::format("its owner {} is not trusted here", answer.evidence->owner),
                       advice_to_trust(answer.evidence->owner));
  return in_context(what, [&] {
    const trust::Evidence& evidence = *answer.evidence;
    const trust::VerifiedPackage verified = verified_file(evidence);
    const env::LockedPackage& package = answer.package;
    const std::vector<PackageBuild> builds = signed_builds(verified.file, descriptor.pkg_path);
    const PackageBuild* chosen = choose(builds, {.system = std::string(system), .cpu_level = cpu_level()},
                                        VersionConstraint(descriptor.version.value_or("")));
    const std::string given = build_name(package.version, variant_of(package));
    if (chosen == nullptr)
      refuse(fmt::format("the catalog answers version {}, and nothing that {} has signed satisfies", given,
                         evidence.owner));
    if (package.install_id != install_id || package.attr_path != descriptor.pkg_path ||
        package.system != system || package.version != chosen->version ||
        variant_of(package) != chosen->variant)
      refuse(fmt::format("the catalog answers {} version {} for {}, and {} has signed version {} for {}",
                         printable(package.attr_path), given, printable(package.system), evidence.owner,
                         build_name(chosen->version, chosen->variant), chosen->system));
    if (package.outputs != chosen->outputs || !installs_all_outputs(package))
      refuse(fmt::format("version {} has other store paths than {} has signed", given, evidence.owner));
    trust::Provenance origin = verified.of(record_of(*chosen));
    if (origin.yanked)
      options_.warn(
          fmt::format("{} {} was yanked by {}: {}", what, given, evidence.owner, printable(*origin.yanked)));
    return Origin(std::move(origin));
  });
}

Origin AnswerVerifier::check(const Pushed& answer, const EnvironmentName& name) {
  return check_by(
      [&](const trust::Evidence& evidence, const trust::EnvironmentRecord& record) {
        return verifier_.verify_environment(evidence, record);
      },
      answer, name);
}

Origin AnswerVerifier::check_kept(const Pushed& answer, const EnvironmentName& name, const Newest& newest) {
  return check_by(
      [&](const trust::Evidence& evidence, const trust::EnvironmentRecord& record) {
        return verifier_.verify_kept_environment(kept_of(evidence, newest), record);
      },
      answer, name);
}

Origin AnswerVerifier::check_by(const EnvironmentCheck& verified, const Pushed& answer,
                                const EnvironmentName& name) const {
  const std::string what = fmt::format("environment '{}'", name.to_string());
  if (name.generation && answer.generation != *name.generation)
    refuse(fmt::format("{}: the catalog answers generation {}", what, answer.generation));
  if (!store_.trusts(name.owner))
    return unsigned_answer(what, fmt::format("its owner {} is not trusted here", name.owner),
                           advice_to_trust(name.owner));
  if (!answer.evidence)
    return unsigned_answer(what, fmt::format("generation {} is not signed", answer.generation),
                           advice_for_unsigned);
  return in_context(what, [&] {
    return Origin(verified(*answer.evidence, {.owner = name.owner,
                                              .name = name.name,
                                              .generation = static_cast<uint64_t>(answer.generation),
                                              .manifest = answer.manifest,
                                              .lock = answer.lock.to_string(),
                                              .latest = !name.generation}));
  });
}

VerifiedCatalog::VerifiedCatalog(std::string url, Secret token, const trust::TrustSettings& settings,
                                 std::function<void(const std::string&)> warn, bool remember)
    : client_(std::move(url), std::move(token)),
      verifier_(settings, {.root = [this](const std::string& owner,
                                          uint64_t version) { return client_.root(owner, version); },
                           .warn = std::move(warn),
                           .remember = remember}) {}

env::LockedPackage VerifiedCatalog::resolve(std::string_view install_id,
                                            const env::InstallDescriptor& descriptor,
                                            std::string_view system) {
  return package(install_id, descriptor, system).package;
}

std::vector<VerifiedCatalog::Answer> VerifiedCatalog::resolve_all(
    std::span<const env::PackageQuestion> questions) {
  using Given = std::vector<Client::ResolvedOrMissing>;
  const auto verified = [this](std::span<const env::PackageQuestion> asked, const Given& given) {
    std::vector<Answer> answers;
    for (size_t i = 0; i < asked.size(); ++i) {
      if (const Error* const missing = std::get_if<Error>(&given[i])) {
        answers.emplace_back(*missing);
        continue;
      }
      const auto& resolved = std::get<Resolved>(given[i]);
      verifier_.check(resolved, asked[i].install_id, asked[i].descriptor, asked[i].system);
      answers.emplace_back(resolved.package);
    }
    return answers;
  };
  // While the catalog answers the next questions, the answers before are verified.
  std::vector<Answer> answers;
  std::future<std::vector<Answer>> verifying;
  const auto take = [&] {
    if (verifying.valid()) std::ranges::move(verifying.get(), std::back_inserter(answers));
  };
  for (size_t begin = 0; begin < questions.size(); begin += asked_at_once) {
    const auto asked = questions.subspan(begin, std::min(asked_at_once, questions.size() - begin));
    Given given = client_.resolve_all(asked);
    take();
    verifying = std::async(std::launch::async, verified, asked, std::move(given));
  }
  take();
  return answers;
}

VerifiedCatalog::Package VerifiedCatalog::package(std::string_view install_id,
                                                  const env::InstallDescriptor& descriptor,
                                                  std::string_view system) {
  Resolved answer = client_.resolve(install_id, descriptor, system);
  Origin origin = verifier_.check(answer, install_id, descriptor, system);
  return {.package = std::move(answer.package), .origin = std::move(origin)};
}

env::Lockfile VerifiedCatalog::included(const std::string& reference, std::optional<int64_t> generation) {
  EnvironmentName name = parse_environment_name(reference);
  if (name.generation)
    throw Error(
        ErrorKind::invalid_input, fmt::format("'{}' names a generation", printable(reference, 200)),
        fmt::format("Write remote = \"{}/{}\", generation = {}.", name.owner, name.name, *name.generation));
  name.generation = generation;
  return environment(name).pushed.lock;
}

VerifiedCatalog::Environment VerifiedCatalog::environment(const EnvironmentName& name) {
  Environment found{.pushed = client_.environment(name), .origin = {}};
  found.origin = verifier_.check(found.pushed, name);
  return found;
}

}  // namespace flox::catalog
