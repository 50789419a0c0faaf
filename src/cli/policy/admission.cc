// flox policy admission: the rules as Kubernetes checks them when a pod is created.
#include "node/policy/admission.h"

#include <fmt/format.h>

#include <memory>

#include "base/command_line/program.h"
#include "cli/policy/commands.h"
#include "kube/reading/names.h"

namespace flox::cli {
namespace {

struct AdmissionOptions {
  std::string file, name = "flox-policy";
};

void print_admission(const AdmissionOptions& options) {
  if (!kube::is_dns_subdomain(options.name))
    fail_usage(fmt::format("--name {}: it cannot be the name of a Kubernetes object", options.name),
               "Use lower-case letters, digits, '-' and '.'.");
  const Config config = Config::load();
  const policy::Policy policy = read_policy_of(config, options.file);
  if (!policy.has_rules())
    throw Error(ErrorKind::not_found, "there is no policy on this machine",
                "Pass --policy FILE, or write /etc/flox/policy.toml.");
  fmt::print("{}", policy::admission(policy, options.name));
}

}  // namespace

void add_policy_admission(CLI::App& policy) {
  auto options = std::make_shared<AdmissionOptions>();
  auto* command =
      policy.add_subcommand("admission", "Print the policy as a ValidatingAdmissionPolicy and its binding");
  add_policy_file(*command, options->file);
  command->add_option("--name", options->name, "name of both objects (default: flox-policy)");
  command->footer("Example:\n  flox policy admission --policy policy.toml | kubectl apply -f -");
  command->callback([options] { print_admission(*options); });
}

}  // namespace flox::cli
