// Environments and their generations: /api/v1/environments/OWNER/NAME.
#include <charconv>
#include <limits>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/environment_name.h"
#include "server/api/answers.h"
#include "server/api/conditional.h"
#include "server/api/page.h"
#include "server/api/resources.h"
#include "server/files/looking_again.h"
#include "server/records/clock.h"
#include "trust/names.h"

namespace flox::server {
namespace {

using nlohmann::json;

struct EnvironmentKey {
  std::string owner, name;
};

// Throws Error(invalid_input) for what cannot be one.
EnvironmentKey key_of(const Call& call) {
  EnvironmentKey name{.owner = call.parameter("owner"), .name = call.parameter("name")};
  catalog::check_environment_name(name.owner, name.name);
  return name;
}

std::optional<int64_t> generation_of(const Call& call) {
  const std::string wanted = call.query("generation");
  if (wanted.empty()) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), value);
  if (error != std::errc() || end != wanted.data() + wanted.size())
    fail(ErrorKind::invalid_input, "'{}' is not a generation", wanted.substr(0, 100));
  return value;
}

// A generation as it is shown, without what is signed of it: that is renewed while the generation stays.
json content_of(const EnvironmentKey& key, const Generation& generation) {
  return {{"owner", key.owner},
          {"name", key.name},
          {"generation", generation.number},
          {"pushed_at", generation.pushed_at},
          {"manifest", generation.manifest},
          {"lock", parse_json(generation.lock.to_string(), "the lock")}};
}

// A generation, and what its owner has signed of it.
struct FoundGeneration {
  std::optional<Generation> generation;
  std::optional<trust::Evidence> evidence;
};

FoundGeneration found_of(const ApiContext& context, const EnvironmentKey& key,
                         std::optional<int64_t> number) {
  constexpr int most_attempts = 5;  // somebody pushes while we read
  FoundGeneration found;
  for (int attempt = 1; attempt <= most_attempts; ++attempt) {
    const int64_t changes = context.trust.changes();
    found.generation = context.environments.find(key.owner, key.name, number);
    found.evidence = found.generation
                         ? context.trust.evidence(key.owner, trust::environment_name(key.name), number)
                         : std::nullopt;
    if (context.trust.changes() == changes) break;
  }
  if (found.evidence && found.evidence->name_file.empty()) found.evidence.reset();
  return found;
}

Error no_environment(const EnvironmentKey& key) {
  return {ErrorKind::not_found, fmt::format("the catalog has no environment {}/{}", key.owner, key.name),
          fmt::format("Correct the name, or publish it with 'flox push --owner {}'.", key.owner)};
}

ServerResponse show_environment(ApiContext& context, const Call& call) {
  const auto [owner, name] = key_of(call);
  const std::optional<int64_t> number = generation_of(call);
  const bool may_see =
      context.accounts.visibility.may_see(call.caller(), Kind::environment, owner + "/" + name);
  const auto [generation, evidence] = may_see ? found_of(context, {owner, name}, number) : FoundGeneration();
  if (!generation) {
    if (may_see && number && context.environments.count(owner, name) > 0)
      throw context.environments.missing(owner, name, *number);
    throw no_environment({owner, name});
  }
  json body = content_of({owner, name}, *generation);
  json signed_by = json::object();
  if (evidence) signed_by[trust::environment_name(name)] = evidence->to_json();
  const std::string state = body.dump();
  body["evidence"] = std::move(signed_by);
  ServerResponse response = as_json(body);
  response.headers["ETag"] = entity_tag(state, response.body);
  return response;
}

// Newest first.
ServerResponse list_generations(ApiContext& context, const Call& call) {
  const EnvironmentKey key = key_of(call);
  std::vector<GenerationSummary> all;
  if (context.accounts.visibility.may_see(call.caller(), Kind::environment, key.owner + "/" + key.name))
    all = context.environments.generations(key.owner, key.name, std::numeric_limits<uint32_t>::max());
  if (all.empty()) throw no_environment(key);
  // Numbers as texts of one length, which cursors have.
  const auto key_of_number = [](int64_t number) { return fmt::format("{:019}", number); };
  return page_of(
      all, call, 1, [&](const GenerationSummary& one) { return CursorKey{key_of_number(one.number)}; },
      [&](const GenerationSummary& one, const CursorKey& after) {
        return key_of_number(one.number) < after[0];
      },
      [](const GenerationSummary& one) {
        return json{{"generation", one.number}, {"pushed_at", one.pushed_at}};
      });
}

// What the owner has signed of the generation; nothing if it signs nothing.
std::optional<StoredNameFile> check_generation(ApiContext& context, const EnvironmentKey& key,
                                               const Generation& generation, const std::string& name_file) {
  return counting_refusals(context, [&]() -> std::optional<StoredNameFile> {
    if (!name_file.empty()) return context.trust.check_generation(key.owner, key.name, generation, name_file);
    if (!context.trust.has_root(key.owner)) return std::nullopt;
    throw Error(ErrorKind::untrusted,
                fmt::format("{} signs its environments, and this is not signed", key.owner),
                fmt::format("Trust {} on this machine ('{}'), and push with a key that it has delegated "
                            "environments/{} to.",
                            key.owner, trust::accept_command(key.owner), key.name));
  });
}

// What must hold of the latest generation if the request says so (RFC 9110, sections 13.1.1 and 13.1.2).
UponGeneration condition_of(const Call& call, const EnvironmentKey& key) {
  const auto& headers = call.request().headers;
  if (const auto field = headers.find("if-none-match"); field != headers.end()) {
    if (field->second != "*" || headers.contains("if-match"))
      fail(ErrorKind::invalid_input, "pushing upon no generation is If-None-Match: *, without If-Match");
    return [](const std::optional<Generation>& latest) {
      if (!latest) return;
      throw StatusError(412, ErrorKind::conflict,
                        fmt::format("the environment is there already, at generation {}", latest->number),
                        "Read the latest generation.");
    };
  }
  const auto field = headers.find("if-match");
  if (field == headers.end()) return [](const std::optional<Generation>&) {};
  return [tags = field->second, key](const std::optional<Generation>& latest) {
    if (latest && has_state_strongly(tags, entity_tag(content_of(key, *latest).dump(), ""))) return;
    throw StatusError(412, ErrorKind::conflict, "the environment's latest generation is not that of If-Match",
                      "Read the latest generation again.");
  };
}

bool is_same(const Generation& a, const Generation& b) {
  return a.manifest == b.manifest && a.lock.to_string() == b.lock.to_string();
}

ServerResponse push_environment(ApiContext& context, const Call& call) {
  const auto [owner, name] = key_of(call);
  const json body = call.json();
  if (!body.is_object() || !body.contains("lock") || !body.contains("manifest") ||
      !body["manifest"].is_string())
    fail(ErrorKind::invalid_input, "the body needs 'manifest', a text, and 'lock', an object");
  Generation generation{.number = 0,
                        .manifest = body["manifest"],
                        .lock = env::Lockfile::parse(body["lock"].dump()),
                        .pushed_at = now_rfc3339()};
  const UponGeneration upon = condition_of(call, {owner, name});
  // Before anything else is said of it. It may be the request that made the latest generation, whose answer
  // was lost.
  const bool may_see =
      context.accounts.visibility.may_see(call.caller(), Kind::environment, owner + "/" + name);
  const auto latest = may_see ? context.environments.find(owner, name, std::nullopt) : std::nullopt;
  if (!latest || !is_same(*latest, generation)) upon(latest);
  const auto signed_by =
      check_generation(context, {owner, name}, generation, optional_string(body, "name_file", "the body"));
  const Reservation reservation(context.cache, call.request().body.size());
  const Holding holding =
      context.accounts.visibility.environment_for(owner, name, context.environments.count(owner, name) > 0);
  // What is here, and may be read, comes along; the rest is from other caches.
  const nix::StorePathSet paths = paths_of(generation.lock);
  const std::set<std::string> needed = paths_needed_by({generation.manifest, generation.lock.to_string()});
  const auto push = [&](int64_t times) {
    const auto closure = files_here(context, call.caller(), paths);
    const Generation pushed = context.environments.push(
        owner, name, generation, signed_by, upon,
        [&](Session& session) {
          const Holding claimed = Visibility::claim_environment(session, name, holding);
          Visibility::publish_files(session, call.caller(), claimed, closure);
        },
        {.times = times, .digests = context.cache.digests_of(closure, needed)});
    log::info("environment {}/{} is at generation {}", owner, name, pushed.number);
    return as_json({{"generation", pushed.number}, {"pushed_at", pushed.pushed_at}}, 201);
  };
  ServerResponse response = looking_again(context.cache, push, [&] { return needed; });
  reservation.keep();
  if (signed_by) context.trust.published(owner);
  return response;
}

// A path below that has no owner and name in it: says what a name is.
ServerResponse refuse_name(const Call& call) {
  const std::string path = call.parameter("path");
  const size_t slash = path.find('/');
  catalog::check_environment_name(path.substr(0, slash),
                                  slash == std::string::npos ? "" : path.substr(slash + 1));
  nothing_there(call.request());
}

}  // namespace

void add_environment_routes(Router& router, ApiContext& context) {
  router.add("GET", "/api/v1/environments/{owner}/{name}", Scope::anyone, no_body(),
             [&](const Call& call) { return show_environment(context, call); });
  router.add("GET", "/api/v1/environments/{owner}/{name}/generations", Scope::anyone, no_body(),
             [&](const Call& call) { return list_generations(context, call); });
  router.add("POST", "/api/v1/environments/{owner}/{name}", Scope::publish, json_body(),
             [&](const Call& call) { return push_environment(context, call); });
  router.add("GET", "/api/v1/environments/{path...}", Scope::anyone, no_body(), refuse_name);
  router.add("POST", "/api/v1/environments/{path...}", Scope::publish, json_body(), refuse_name);
}

}  // namespace flox::server
