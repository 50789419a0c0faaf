// flox policy test: what the node's policy would say of a manifest's pods, or of a case.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/settings/units.h"
#include "catalog/answer_verifier.h"
#include "cli/catalog_access.h"
#include "cli/options.h"
#include "cli/policy/commands.h"
#include "cli/policy/manifest_pods.h"
#include "cli/say.h"
#include "env/environment.h"
#include "imageless/annotations.h"
#include "nix/store_path.h"
#include "node/images/reference.h"
#include "node/policy/decision.h"
#include "oci/runtime_spec.h"

namespace flox::cli {
namespace {

struct TestOptions {
  std::vector<std::string> files;
  std::string policy_file;
  std::string pod_namespace = "default", service_account = "default";
  bool unknown_account = false;
  std::string environment, store_path, store_view, owner, closure_size;
  std::vector<std::string> signers;
  bool install = false, nix_mutable = false, json = false;
};

// One container, or what a case asks for.
struct TestResult {
  std::string pod, container, asked;
  policy::Verdict verdict;
};

// A container as the manifest has it, and what of it counts.
struct Wish {
  policy::Start start;
  std::string environment;  // as it was written
  std::string version;      // FLOX_PACKAGE_VERSION
};

// Packages of the catalog, and what is proved of them.
class ProvedPackages : public env::Resolver {
 public:
  explicit ProvedPackages(catalog::VerifiedCatalog& catalog) : catalog_(catalog) {}
  env::LockedPackage resolve(std::string_view id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override {
    auto [package, origin] = catalog_.package(id, descriptor, system);
    proved_[package.attr_path] = policy::provenance_of(origin);
    return std::move(package);
  }
  const policy::PackageProvenances& proved() const noexcept { return proved_; }

 private:
  catalog::VerifiedCatalog& catalog_;
  policy::PackageProvenances proved_;
};

// Decides as floxd does. With a catalog the versions are known, what environments hold, and who has signed
// it.
policy::Verdict decide(const policy::Policy& policy, const Config& config, const Wish& wish) {
  const policy::Verdict verdict = policy::decide_start(policy, wish.start);
  if (!wish.start.environment || (!verdict.allowed && !verdict.undecided)) return verdict;
  if (wish.start.environment->kind == policy::Asked::Kind::store_path) return verdict;
  if (config.catalog_url.empty() || !policy.has_rules()) return verdict;
  policy::Asked wanted = *wish.start.environment;
  wanted.answered = true;
  const std::string system = env::current_system();
  env::Lockfile published, lock;
  const auto catalog = verified_catalog(readable_token(config), false);
  ProvedPackages resolver(*catalog);
  const bool is_given = !wanted.provenance.owner.empty() || !wanted.provenance.signers.empty();
  if (wanted.kind == policy::Asked::Kind::environment) {
    const auto name = catalog::parse_environment_name(wish.environment);
    const auto [pushed, origin] = catalog->environment(name);
    wanted.version = std::to_string(pushed.generation);
    if (!is_given) wanted.provenance = policy::provenance_of(origin);
    lock = published = pushed.lock;
    if (!wish.version.empty())
      lock = env::with_primary_version(published, name.name, wish.version, system, resolver);
  } else {
    env::NamedPackage package = env::parse_package(wish.environment);
    if (!wish.version.empty()) package.descriptor.version = wish.version;
    lock.packages.push_back(resolver.resolve(package.install_id, package.descriptor, system));
  }
  return policy::decide_lock(policy, wish.start.subject, wanted, published, lock, system,
                             is_given ? policy::PackageProvenances() : resolver.proved());
}

// What of a container the shim would read in its runtime spec.
oci::RuntimeSpec spec_of(const ManifestContainer& container, const ManifestPod& pod) {
  nlohmann::json document = {{"annotations", pod.annotations}, {"process", {{"args", container.args}}}};
  document["annotations"]["io.kubernetes.cri.container-name"] = container.name;
  document["annotations"]["io.kubernetes.cri.image-name"] = container.image;
  return oci::RuntimeSpec::parse(document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// The container's image, if that is an environment, else what its annotations name.
std::string environment_of(const ManifestContainer& container, const oci::RuntimeSpec& spec) {
  if (imageless::is_skipped(spec)) return {};
  return node::environment_of_image(container.image).value_or(imageless::environment_of(spec));
}

Wish wish_of(const ManifestContainer& container, const oci::RuntimeSpec& spec, const ManifestPod& pod) {
  Wish wish{.start = {.subject = {.pod_namespace = pod.pod_namespace, .service_account = pod.service_account},
                      .environment = {},
                      .store_view = {},
                      .nix_mutable = spec.annotation(imageless::mutable_annotation) == "true"},
            .environment = environment_of(container, spec),
            .version = container.package_version};
  if (!wish.environment.empty()) wish.start.environment = policy::asked_for(wish.environment);
  if (const std::string view = spec.annotation("flox.dev/store-view"); !view.empty())
    wish.start.store_view = view == "node" ? policy::StoreView::node : policy::StoreView::closure;
  return wish;
}

TestResult test_container(const policy::Policy& policy, const Config& config, const ManifestPod& pod,
                          const ManifestContainer& container) {
  const oci::RuntimeSpec spec = spec_of(container, pod);
  TestResult result{.pod = pod.called, .container = container.name, .asked = {}, .verdict = {}};
  in_context(fmt::format("{}, container {}", result.pod, result.container), [&] {
    imageless::check_annotations(spec);
    if (!imageless::is_imageless(spec) && environment_of(container, spec).empty()) {
      result.asked = fmt::format("an ordinary image, which the policy does not concern: {}", container.image);
      return;
    }
    const Wish wish = wish_of(container, spec, pod);
    result.asked = wish.start.environment ? wish.start.environment->to_string() : "no environment";
    if (container.version_from_elsewhere)
      result.asked += " (FLOX_PACKAGE_VERSION comes from elsewhere and is not tested)";
    result.verdict = decide(policy, config, wish);
  });
  return result;
}

std::vector<TestResult> test_files(const policy::Policy& policy, const Config& config,
                                   const TestOptions& options) {
  std::vector<TestResult> results;
  for (const kube::InputDocument& document : kube::read_input_documents(options.files))
    if (const auto pod = pod_of(document, options.pod_namespace))
      for (const ManifestContainer& container : pod->containers)
        results.push_back(test_container(policy, config, *pod, container));
  if (results.empty()) fail(ErrorKind::not_found, "there is no pod in the manifests");
  return results;
}

TestResult test_case(const policy::Policy& policy, const Config& config, const TestOptions& options) {
  Wish wish{.start = {.subject = {.pod_namespace = options.pod_namespace, .service_account = {}},
                      .environment = {},
                      .store_view = {},
                      .nix_mutable = options.nix_mutable},
            .environment = options.environment,
            .version = {}};
  if (!options.unknown_account) wish.start.subject.service_account = options.service_account;
  if (!options.store_view.empty())
    wish.start.store_view =
        options.store_view == "node" ? policy::StoreView::node : policy::StoreView::closure;
  if (!options.environment.empty()) wish.start.environment = policy::asked_for(options.environment);
  if (!options.store_path.empty())
    wish.start.environment = {.kind = policy::Asked::Kind::store_path,
                              .name = nix::StorePath::parse(options.store_path).base_name(),
                              .version = {},
                              .provenance = {}};
  if (wish.start.environment)
    wish.start.environment->provenance = {.owner = options.owner, .signers = options.signers};
  TestResult result{.pod = wish.start.subject.to_string(),
                    .container = {},
                    .asked = wish.start.environment ? wish.start.environment->to_string() : "no environment",
                    .verdict = {}};
  if (options.install) result.verdict = policy::decide_install(policy, wish.start.subject);
  if (result.verdict.allowed)
    result.verdict =
        options.store_path.empty() ? decide(policy, config, wish) : policy::decide_start(policy, wish.start);
  if (result.verdict.allowed && !options.closure_size.empty())
    result.verdict = policy::decide_size(policy, wish.start.subject, parse_size(options.closure_size));
  return result;
}

void print(const std::vector<TestResult>& results) {
  for (const TestResult& result : results) {
    const policy::Verdict& verdict = result.verdict;
    const std::string where =
        result.container.empty() ? result.pod : fmt::format("{}, container {}", result.pod, result.container);
    if (!verdict.allowed)
      fmt::print("denied   {}: {}: {}\n", where, result.asked, verdict.why);
    else if (verdict.rule.empty())
      fmt::print("allowed  {}: {}\n", where, result.asked);
    else
      fmt::print("allowed  {}: {}: rule '{}' ({})\n", where, result.asked, verdict.rule, verdict.place);
  }
}

void print_json(const std::vector<TestResult>& results) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const TestResult& result : results)
    list.push_back({{"pod", result.pod},
                    {"container", result.container},
                    {"asked", result.asked},
                    {"allowed", result.verdict.allowed},
                    {"rule", result.verdict.rule},
                    {"place", result.verdict.place},
                    {"why", result.verdict.why}});
  fmt::print("{}\n", list.dump(2));
}

void run_tests(const TestOptions& options) {
  const bool has_case = !options.environment.empty() || !options.store_path.empty() || options.install ||
                        options.nix_mutable || !options.store_view.empty();
  if (options.files.empty() != has_case)
    fail_usage(has_case ? "either manifests or a case can be tested at once" : "there is nothing to test",
               "Name a manifest, or say what the pod asks for with options such as --environment.");
  const Config config = Config::load();
  const policy::Policy policy = read_policy_of(config, options.policy_file);
  const std::vector<TestResult> results = options.files.empty()
                                              ? std::vector{test_case(policy, config, options)}
                                              : test_files(policy, config, options);
  if (config.catalog_url.empty() && policy.has_rules())
    say("No catalog is configured: versions, and what environments hold, are not tested.\n");
  if (options.json)
    print_json(results);
  else
    print(results);
  for (const TestResult& result : results)
    if (!result.verdict.allowed) throw CLI::RuntimeError(exit_failure);
}

}  // namespace

void add_policy_test(CLI::App& policy) {
  auto options = std::make_shared<TestOptions>();
  auto* command = policy.add_subcommand(
      "test", "Say for each container, or for a case, whether the policy allows it and by which rule");
  command->add_option("FILE", options->files,
                      "manifests with pods or pod templates: files, directories, or - for standard input");
  add_policy_file(*command, options->policy_file);
  command->add_option("-n,--namespace", options->pod_namespace,
                      "namespace of the pod, where the manifest has none (default: default)");
  auto* account = command->add_option("--service-account", options->service_account,
                                      "service account of a case (default: default)");
  command->add_flag("--unknown-account", options->unknown_account, "the node cannot know the service account")
      ->excludes(account);
  auto* environment =
      command->add_option("--environment", options->environment,
                          "case: a pod of OWNER/NAME[:GENERATION] or a package NAME[@VERSION]");
  command->add_option("--store-path", options->store_path, "case: a pod that asks for this store path")
      ->excludes(environment);
  command->add_flag("--install", options->install, "case: a pod installs packages itself");
  command->add_flag("--nix-mutable", options->nix_mutable, "case: a container may change /nix");
  command
      ->add_option("--store-view", options->store_view,
                   "case: what the container asks to see: node or closure")
      ->check(CLI::IsMember({"node", "closure"}));
  command->add_option("--closure-size", options->closure_size, "case: size of the closure (2G)");
  command->add_option("--owner", options->owner, "case: owner that the signed metadata prove");
  command->add_option("--signer", options->signers, "case: a key that has signed, once for each");
  add_json(*command, options->json);
  command->footer(
      "Exit codes: 0 all is allowed, 1 something is denied.\n\n"
      "Examples:\n"
      "  flox policy test deployment.yaml\n"
      "  kubectl get pod web -o yaml | flox policy test -\n"
      "  flox policy test --namespace shop --environment python3@3.11");
  command->callback([options] { run_tests(*options); });
}

}  // namespace flox::cli
