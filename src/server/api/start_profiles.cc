// What starts read first: /api/v1/environments/OWNER/NAME/start-profile and
// /api/v1/catalog/packages/NAME/start-profile (docs/reference/catalog-api.md).
#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "catalog/start_profile.h"
#include "server/api/answers.h"
#include "server/api/resources.h"
#include "server/api/text_upload.h"
#include "server/records/clock.h"
#include "trust/names.h"

namespace flox::server {
namespace {

using catalog::StartProfile;
using nlohmann::json;

struct ProfileName {
  Kind kind;
  std::string name;  // an environment's is OWNER/NAME
};

std::string in_words(const ProfileName& of) {
  return fmt::format("{} {}", text_of(of.kind), printable(of.name, 200));
}

// Throws Error(invalid_input) for what cannot be one, not_found for what the caller does not see.
ProfileName environment_of(const ApiContext& context, const Call& call) {
  const std::string owner = call.parameter("owner"), name = call.parameter("name");
  catalog::check_environment_name(owner, name);
  ProfileName of{.kind = Kind::environment, .name = owner + "/" + name};
  if (!context.accounts.visibility.may_see(call.caller(), of.kind, of.name) ||
      context.environments.count(owner, name) == 0)
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no {}", in_words(of)),
                fmt::format("Correct the name, or publish it with 'flox push --owner {}'.", owner));
  return of;
}

ProfileName package_of(const ApiContext& context, const Call& call) {
  ProfileName of{.kind = Kind::package, .name = call.parameter("name")};
  trust::check_name(trust::package_name(of.name));
  if (!context.accounts.visibility.may_see(call.caller(), of.kind, of.name) ||
      context.records.recorded(of.name).empty())
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no {}", in_words(of)),
                "Correct the name, or publish it with 'flox publish'.");
  return of;
}

// Whoever may publish for the package's owner; the operator, what has none.
void require_publisher(const ApiContext& context, const Call& call, const ProfileName& of) {
  const auto holding = context.accounts.holdings.find(of.kind, of.name);
  const std::string owner = holding ? holding->owner : "";
  if (owner.empty() ? !call.caller().is_operator : !call.caller().may(Role::publish, owner))
    throw Refusal("other_owner", fmt::format("{} belongs to another owner", in_words(of)),
                  "Use a token of that owner.");
}

// What the environment installs, or what the package is, in any version.
std::vector<nix::StorePath> packages_of(const ApiContext& context, const ProfileName& of) {
  std::vector<nix::StorePath> paths;
  if (of.kind == Kind::environment) {
    const size_t slash = of.name.find('/');
    if (const auto latest =
            context.environments.find(of.name.substr(0, slash), of.name.substr(slash + 1), std::nullopt))
      for (const nix::StorePath& path : paths_of(latest->lock)) paths.push_back(path);
  } else {
    for (const auto& build : context.records.builds(of.name))
      for (const auto& [output, path] : build.outputs) paths.push_back(path);
  }
  return paths;
}

// What is published where it does not belong does no harm, and no good: somebody has mistaken a name.
void require_belongs(const ApiContext& context, const ProfileName& of, const StartProfile& profile) {
  if (profile.packages.empty())
    throw Error(ErrorKind::invalid_input, "the profile does not say of which packages it is",
                "Take one that this version of floxd has kept: it does so at each start.");
  if (!profile.is_of_one_of(packages_of(context, of)))
    throw Error(
        ErrorKind::invalid_input, fmt::format("the profile is of none of the packages of {}", in_words(of)),
        "See of which packages it is ('flox node profile list'), and name the environment or package that "
        "the pods have that have started.");
}

ServerResponse show_profile(const ApiContext& context, const ProfileName& of) {
  auto text = context.start_profiles.find(of.kind, of.name);
  if (!text)
    throw Error(ErrorKind::not_found, fmt::format("no start profile of {} was published", in_words(of)),
                "Publish one that a node has recorded: flox node profile publish.");
  return {.content_type = "application/json", .body = std::move(*text)};
}

ServerResponse put_profile(ApiContext& context, const Call& call, const ProfileName& of) {
  const std::string text = TextUpload::text_of(*call.request().upload);
  const StartProfile profile = StartProfile::parse(text);
  require_belongs(context, of, profile);
  const Reservation reservation(context.cache, text.size());
  const StartProfile merged = context.start_profiles.merge(of.kind, of.name, profile, now_rfc3339());
  reservation.keep();
  const StartProfile::Size size = merged.size();
  log::info("{}: the start profile of {} names {} bytes of files of {} paths", call.caller().name(),
            in_words(of), size.bytes, merged.paths.size());
  return as_json({{"paths", merged.paths.size()}, {"ranges", size.ranges}, {"bytes", size.bytes}});
}

ServerResponse remove_profile(ApiContext& context, const Call& call, const ProfileName& of) {
  if (!context.start_profiles.remove(of.kind, of.name))
    fail(ErrorKind::not_found, "no start profile of {} was published", in_words(of));
  log::info("{}: the start profile of {} is removed", call.caller().name(), in_words(of));
  return as_json(json::object());
}

}  // namespace

void add_start_profile_routes(Router& router, ApiContext& context) {
  const std::string environment = "/api/v1/environments/{owner}/{name}/start-profile";
  const std::string package = "/api/v1/catalog/packages/{name}/start-profile";
  const auto upload = [] {
    return upload_body(
        [](const Call&) { return std::make_shared<TextUpload>("the profile", StartProfile::most_bytes); });
  };
  const auto own_package = [&](const Call& call) {
    ProfileName of = package_of(context, call);
    require_publisher(context, call, of);
    return of;
  };
  router.add("GET", environment, Scope::anyone, no_body(),
             [&](const Call& call) { return show_profile(context, environment_of(context, call)); });
  router.add("PUT", environment, Scope::publish, upload(),
             [&](const Call& call) { return put_profile(context, call, environment_of(context, call)); });
  router.add("DELETE", environment, Scope::publish, no_body(),
             [&](const Call& call) { return remove_profile(context, call, environment_of(context, call)); });
  router.add("GET", package, Scope::anyone, no_body(),
             [&](const Call& call) { return show_profile(context, package_of(context, call)); });
  router.add("PUT", package, Scope::publish, upload(),
             [&, own_package](const Call& call) { return put_profile(context, call, own_package(call)); });
  router.add("DELETE", package, Scope::publish, no_body(),
             [&, own_package](const Call& call) { return remove_profile(context, call, own_package(call)); });
}

}  // namespace flox::server
