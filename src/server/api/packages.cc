// Packages and their builds: searching, showing, resolving, publishing.
#include <algorithm>
#include <cctype>
#include <set>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/cpu_level.h"
#include "server/api/answers.h"
#include "server/api/page.h"
#include "server/api/resolve.h"
#include "server/api/resources.h"
#include "server/api/signers.h"
#include "server/api/suggest.h"
#include "server/api/visible_records.h"
#include "server/files/looking_again.h"
#include "server/records/clock.h"
#include "trust/names.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

constexpr size_t most_outputs = 32;           // of a build
constexpr size_t longest_term = 255;          // bytes, searched for
constexpr size_t longest_reason = 1024;       // bytes, of a yanked version
constexpr size_t largest_evidence = 8 << 20;  // bytes, of one answer

// What a record's members may be, before anything is made of them.
void check_sizes(const json& record) {
  if (!record.is_object()) fail(ErrorKind::invalid_input, "a package build must be a JSON object");
  const auto outputs = record.find("outputs");
  if (outputs != record.end() && outputs->size() > most_outputs)
    fail(ErrorKind::invalid_input, "'outputs' has more than {} members", most_outputs);
  for (const auto& [key, most] : {std::pair<const char*, size_t>{"name", 255},
                                  {"version", 255},
                                  {"system", 64},
                                  {"variant", 64},
                                  {"description", 4000},
                                  {"license", 255},
                                  {"owner", 64},
                                  {"signer", 255}}) {
    const auto value = record.find(key);
    if (value == record.end() || !value->is_string()) continue;
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() > most) fail(ErrorKind::invalid_input, "'{}' is over {} bytes", key, most);
    // A terminal would obey them.
    if (std::ranges::any_of(
            text, [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F; }))
      fail(ErrorKind::invalid_input, "'{}' has control characters", key);
  }
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || std::string_view(".-_:[]").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// As clients reach us. What their Host field says goes into their own answers only.
std::string base_url(const ApiContext& context, const ServerRequest& request) {
  if (!context.options.public_url.empty()) return context.options.public_url;
  const auto host = request.headers.find("host");
  const auto scheme = request.headers.find("x-forwarded-proto");
  if (host != request.headers.end() && !is_host(host->second))
    fail(ErrorKind::invalid_input, "the Host field is not a host");
  return fmt::format("{}://{}",
                     scheme != request.headers.end() && scheme->second == "https" ? "https" : "http",
                     host == request.headers.end() ? "catalog" : host->second);
}

VisibleRecords visible(ApiContext& context, const Call& call) {
  return {context.records, context.accounts.visibility.hidden_from(call.caller(), Kind::package)};
}

ServerResponse search_packages(ApiContext& context, const Call& call) {
  const std::string term = call.query("search_term");
  const Filter filter{.system = call.query("system"), .owner = {}, .license = {}};
  if (term.size() > longest_term || filter.system.size() > longest_term)
    fail(ErrorKind::invalid_input, "'search_term' or 'system' is over {} bytes", longest_term);
  return page_of(call, [&](const Part& part) { return visible(context, call).search(term, filter, part); });
}

ServerResponse show_package(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("name");
  const VisibleRecords records = visible(context, call);
  const auto builds = records.builds(name);
  if (builds.empty())
    throw Error(ErrorKind::not_found, "the catalog has no such package",
                advice_for_unknown(name, *records.names()));
  return page_of(builds, call);
}

ServerResponse resolve_packages(ApiContext& context, const Call& call) {
  const json body = call.json();
  constexpr int most_attempts = 5;  // somebody publishes while we read
  for (int attempt = 1;; ++attempt) {
    const int64_t changes = context.trust.changes();
    OwnedPackages owned;
    json answer = resolve(visible(context, call), body, base_url(context, call.request()), owned);
    std::map<std::string, std::vector<std::string>> names;  // by owner
    for (const auto& [package, owner] : owned) names[owner].push_back(trust::package_name(package));
    size_t size = 0;
    for (const auto& [owner, of_owner] : names)
      for (const auto& [name, evidence] : context.trust.evidence_of_packages(owner, of_owner)) {
        size += evidence.name_file.size() + evidence.targets.size();
        if (size > largest_evidence)
          throw Error(ErrorKind::invalid_input,
                      fmt::format("the answer's signed metadata would be over {} bytes", largest_evidence),
                      "Resolve fewer packages at once.");
        answer["evidence"][name] = evidence.to_json();
      }
    if (context.trust.changes() == changes || attempt == most_attempts) return as_json(answer);
  }
}

// What the package's owner has signed of the build, whose owner becomes that; nothing if it is not signed.
std::optional<SignedBuilds> check_build(ApiContext& context, PackageBuild& build, const Holding& holding,
                                        const std::string& name_file) {
  build.owner.clear();
  return counting_refusals(context, [&]() -> std::optional<SignedBuilds> {
    if (name_file.empty()) {
      if (holding.owner.empty() || !context.trust.has_root(holding.owner)) return std::nullopt;
      throw Error(
          ErrorKind::untrusted, fmt::format("{} signs its packages, and this is not signed", holding.owner),
          fmt::format("Trust {} on this machine ('{}'), and publish with --owner {} and a key that it has "
                      "delegated packages/{} to.",
                      holding.owner, trust::accept_command(holding.owner), holding.owner, build.name));
    }
    if (holding.owner.empty())
      throw Error(ErrorKind::invalid_input, "the record has a 'name_file' and no owner", "Name its 'owner'.");
    build.owner = holding.owner;
    return context.trust.check_build(build, name_file);
  });
}

// Of the package that the address names.
PackageBuild build_of(const json& record, const std::string& name) {
  check_sizes(record);
  PackageBuild build = PackageBuild::from_json(record);
  if (build.name != name)
    fail(ErrorKind::invalid_input, "the record is of '{}', the address of '{}'", build.name, name);
  if (build.yanked) fail(ErrorKind::invalid_input, "'yanked': a version is published first, and yanked then");
  if (!catalog::is_known_variant(build.variant, build.system))
    throw Error(ErrorKind::invalid_input,
                fmt::format("'variant': '{}' is not a CPU level of {}", build.variant, build.system),
                build.system == "aarch64-linux" ? "Use armv8-a."
                                                : "Use x86-64-v1, x86-64-v2, x86-64-v3 or x86-64-v4.");
  return build;
}

// Looks for what the build needs, after the marks on it were taken off at `times`, and records it.
ServerResponse add_build_looked_for(ApiContext& context, const Call& call, const Holding& holding,
                                    PackageBuild build, const std::string& name_file,
                                    const std::set<std::string>& needed, int64_t times) {
  const Visibility::CallersCache access(context.accounts.visibility, call.caller());
  const auto closure = check_claims(build, context.cache, context.keys, access);
  const auto digests = context.cache.digests_of(closure, needed);
  const auto signed_by = check_build(context, build, holding, name_file);
  const Reservation reservation(context.cache, call.request().body.size());
  build.published_at = now_rfc3339();
  const bool added = counting_refusals(context, [&] {
    return context.records.add(build, signed_by,
                               [&](Session& session) {
                                 Visibility::claim_package(session, call.caller(), build.name, holding);
                                 Visibility::publish_files(session, call.caller(), holding, closure);
                               },
                               {.times = times, .digests = digests});
  });
  if (signed_by) context.trust.published(build.owner);
  if (added) {
    reservation.keep();
    context.metrics.published.Increment();
    log::info("published {} {} for {}, signed by {}, {}", build.name, build.version, build.system,
              build.signer, build.owner.empty() ? "its name by nobody" : "its name for " + build.owner);
  }
  return as_json(context.records.find(build).value_or(build).to_json(), added ? 201 : 200);
}

ServerResponse add_build(ApiContext& context, const Call& call) {
  const json record = call.json();
  const PackageBuild build = build_of(record, call.parameter("name"));
  const std::string name_file = optional_string(record, "name_file", "the record");
  const std::set<std::string> needed = paths_needed_by({build.to_json().dump()});
  // Who may not publish the package takes no mark off.
  const Holding holding = context.accounts.visibility.package_for(
      call.caller(), build.name, build.owner, !context.records.recorded(build.name).empty());
  return looking_again(
      context.cache,
      [&](int64_t times) {
        return add_build_looked_for(context, call, holding, build, name_file, needed, times);
      },
      [&] { return needed; });
}

// Who may yank: whoever may publish for the package's owner; the operator, what has none.
ServerResponse yank_version(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("name");
  const std::string version = call.parameter("version");
  const json body = call.json();
  const json& wanted = flox::member(body, "reason", "the body");
  const std::optional<std::string> reason =
      wanted.is_null() ? std::nullopt : std::optional(string_member(body, "reason", "the body"));
  if (reason && (reason->empty() || reason->size() > longest_reason))
    fail(ErrorKind::invalid_input, "'reason' is empty or over {} bytes", longest_reason);
  if (reason && std::ranges::any_of(*reason, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
    fail(ErrorKind::invalid_input, "'reason' has control characters");
  if (visible(context, call).recorded(name).empty())
    fail(ErrorKind::not_found, "the catalog has no such package");
  const auto holding = context.accounts.holdings.find(Kind::package, name);
  const std::string owner = holding ? holding->owner : "";
  if (owner.empty() ? !call.caller().is_operator : !call.caller().may(Role::publish, owner))
    throw Refusal("other_owner", fmt::format("package {} belongs to another owner", name),
                  "Use a token of that owner.");
  const std::string name_file = optional_string(body, "name_file", "the body");
  counting_refusals(context, [&] {
    const auto signed_by =
        name_file.empty() ? std::nullopt
                          : std::optional(context.trust.check_yank(owner, name, version, reason, name_file));
    context.records.yank(name, version, reason, signed_by);
  });
  if (!name_file.empty()) context.trust.published(owner);
  context.metrics.yanked.Increment();
  log::info("{}: {} {} is {}", call.caller().name(), name, version,
            reason ? "yanked: " + *reason : "no longer yanked");
  return as_json({{"name", name}, {"version", version}, {"yanked", reason ? json(*reason) : json()}});
}

}  // namespace

void add_package_routes(Router& router, ApiContext& context) {
  router.add("POST", "/api/v1/catalog/resolve", Scope::anyone, json_body(),
             [&](const Call& call) { return resolve_packages(context, call); });
  router.add("GET", "/api/v1/catalog/search", Scope::anyone, no_body(),
             [&](const Call& call) { return search_packages(context, call); });
  router.add("GET", "/api/v1/catalog/packages/{name}", Scope::anyone, no_body(),
             [&](const Call& call) { return show_package(context, call); });
  router.add("POST", "/api/v1/catalog/packages/{name}/builds", Scope::publish, json_body(),
             [&](const Call& call) { return add_build(context, call); });
  router.add("POST", "/api/v1/catalog/packages/{name}/versions/{version}/yank", Scope::publish, json_body(),
             [&](const Call& call) { return yank_version(context, call); });
}

}  // namespace flox::server
