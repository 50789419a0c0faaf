#include "node/floxd/confined_catalog.h"

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "base/trace/span.h"
#include "catalog/client.h"
#include "catalog/model.h"
#include "trust/names.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr std::string_view job_name = "catalog";
constexpr uint64_t memory = 512ULL << 20;  // bytes: libraries and stacks, and an answer of a few MB
constexpr auto time_limit = std::chrono::seconds(90);
constexpr unsigned threads = 4;

// What the fetcher writes, floxd reads.
constexpr const char* answer_name = "the fetcher's answer";

std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

void put_evidence(json& answer, const std::optional<trust::Evidence>& evidence) {
  if (evidence) answer["evidence"] = evidence->to_json();
}
std::optional<trust::Evidence> evidence_of(const json& answer) {
  const auto found = answer.find("evidence");
  return found == answer.end() ? std::nullopt : std::optional(trust::Evidence::from_json(*found));
}

json environment_answer(catalog::Client& client, const json& question) {
  const auto pushed = client.environment(
      catalog::parse_environment_name(string_member(question, "environment", "the question")));
  json answer = {
      {"generation", pushed.generation}, {"manifest", pushed.manifest}, {"lock", pushed.lock.to_string()}};
  put_evidence(answer, pushed.evidence);
  return answer;
}

json package_answer(catalog::Client& client, const json& question) {
  const std::string id = string_member(question, "install_id", "the question");
  env::InstallDescriptor descriptor{.pkg_path = string_member(question, "pkg_path", "the question"),
                                    .version = {},
                                    .pkg_group = string_member(question, "pkg_group", "the question"),
                                    .priority = question.at("priority").get<int>(),
                                    .store_path = {}};
  if (question.contains("version")) descriptor.version = string_member(question, "version", "the question");
  const auto resolved = client.resolve(id, descriptor, string_member(question, "system", "the question"));
  env::Lockfile lock{.manifest = json::object(), .packages = {resolved.package}};
  json answer = {{"lock", lock.to_string()}};
  put_evidence(answer, resolved.evidence);
  return answer;
}

json root_answer(catalog::Client& client, const json& question) {
  const auto root =
      client.root(string_member(question, "root_of", "the question"), question.at("version").get<uint64_t>());
  return root ? json{{"root", *root}} : json::object();
}

json start_profile_answer(catalog::Client& client, const json& question) {
  const auto profile = client.start_profile(string_member(question, "start_profile_of", "the question"));
  return profile ? json{{"start_profile", profile->to_text()}} : json::object();
}

json report_answer(catalog::Client& client, const json& question) {
  client.ask("POST", "/api/v1/nodes/" + url_encode(string_member(question, "node", "the question")),
             question.at("report"), "reporting what runs on this node");
  return json::object();
}

std::string answer_with(catalog::Client& client, const json& question) {
  const json answer = question.contains("environment")        ? environment_answer(client, question)
                      : question.contains("report")           ? report_answer(client, question)
                      : question.contains("start_profile_of") ? start_profile_answer(client, question)
                      : question.contains("root_of")          ? root_answer(client, question)
                                                              : package_answer(client, question);
  return answer.dump();
}

// In the fetcher: the question is ours, the answer the catalog's.
std::string answer(catalog::Client& client, const std::string& url, std::string_view text) {
  const json question = parse_json(text, "the question");
  std::optional<trace::Context> caller;
  if (question.contains("traceparent"))
    caller = trace::parse_traceparent(string_member(question, "traceparent", "the question"));
  const trace::Span carried(nullptr, "", trace::Kind::client, caller);  // floxd records it
  if (question.contains("token")) {
    // Of one question alone: its connection, and what is known by it, end with it.
    catalog::Client own(catalog::with_token(url, Secret(string_member(question, "token", "the question"))));
    return answer_with(own, question);
  }
  return answer_with(client, question);
}

std::string answer_all(std::string_view url, ConfinedChannel& channel) {
  std::vector<ConfinedAnswer> answers;
  for (unsigned i = 0; i < threads; ++i)
    answers.emplace_back(
        [client = std::make_shared<catalog::Client>(std::string(url)),
         of = std::string(url)](std::string_view question) { return answer(*client, of, question); });
  channel.confine();  // the clients have read their passwords
  answer_questions(channel, answers);
  return {};
}

ConfinedService::Options service_options(const Config& config, store::FetcherPool& fetchers) {
  return {.request = {.job = std::string(job_name),
                      .text = config.catalog_url,
                      .sandbox = {.writable = {},
                                  .readable = network_files(),
                                  .ports = config.catalog_url.empty() ? std::vector<uint16_t>()
                                                                      : store::ports_of({config.catalog_url}),
                                  .memory = memory,
                                  .file_size = 0},
                      .policy = config.isolation,
                      .deadline = time_limit,
                      .on_call = {},
                      .on_note = {},
                      .on_end = {}},
          .start = [&fetchers] { return fetchers.take(); },
          .threads = threads};
}

}  // namespace

void add_catalog_job() { add_confined_job(job_name, answer_all); }

ConfinedCatalog::ConfinedCatalog(const Config& config, store::FetcherPool& fetchers, Metrics& metrics)
    : moving_answer_age_(config.moving_answer_age),
      metrics_(metrics),
      signed_texts_(config.root / "var/lib/flox/kept/signed"),
      service_(service_options(config, fetchers)),
      verifier_(config,
                {.root = [this](const std::string& owner, uint64_t version) { return root(owner, version); },
                 .warn = [](const std::string& warning) { log::warning("{}", warning); }}) {}

template <typename Read, typename IsMoving>
auto ConfinedCatalog::answered(const json& question, const PodAnswers* pod, const Secret& token, Read&& read,
                               IsMoving&& is_moving) const {
  using Result = decltype(read(json(), true));
  const std::string asked = text_of(question);
  std::string why_not_kept;  // what was kept is not used
  const auto not_kept = [&](KeptFailure reason, std::string why) {
    metrics_.kept_failed(reason);
    log::warning("{}", why);
    why_not_kept = std::move(why);
    return std::nullopt;
  };
  const auto from_kept = [&](const std::string& key, bool catalog_is_away) -> std::optional<Result> {
    const auto kept = key.empty() ? std::nullopt : pod->pods.find(key, asked);
    if (!kept) return std::nullopt;
    const bool prefetched = key == pod->prefetched;
    // What may mean something else by now is asked again as long as there is a catalog.
    if (prefetched && kept->moving && !catalog_is_away) return std::nullopt;
    if (kept->moving && moving_answer_age_.count() > 0 && kept->age > moving_answer_age_)
      return not_kept(KeptFailure::too_old,
                      fmt::format("the pod was answered {} ago, and moving_answer_age is {}",
                                  duration_text(kept->age), duration_text(moving_answer_age_)));
    try {
      Result result = read(parse_json(kept->text, "the answer that was kept"), true);
      // Of what is known to be yanked there may be something better.
      if (kept->moving && !catalog_is_away && result.origin && result.origin->yanked) return std::nullopt;
      metrics_.kept_used(kept->moving, kept->age);
      log::info("{}: as {} answered {} ago", printable(asked, 200),
                prefetched ? "the node's prefetching was" : "the pod was", duration_text(kept->age));
      if (prefetched) pod->pods.keep(pod->key, asked, kept->moving, kept->text, kept->age);
      return result;
    } catch (const Error& error) {
      return not_kept(KeptFailure::refused,
                      fmt::format("what the pod was answered before counts no more: {}", error.what()));
    }
  };
  if (pod != nullptr && pod->first == PodAnswers::First::kept)
    for (const std::string& key : {pod->key, pod->prefetched})
      if (auto result = from_kept(key, false)) return *std::move(result);
  try {
    const json answer = ask(question, token);
    Result result = read(answer, false);
    if (pod != nullptr) pod->pods.keep(pod->key, asked, is_moving(result), text_of(answer));
    return result;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable || pod == nullptr) throw;
    for (const std::string& key : {pod->key, pod->prefetched})
      if (why_not_kept.empty())
        if (auto result = from_kept(key, true)) return *std::move(result);
    if (why_not_kept.empty()) throw;
    throw error.with_context(why_not_kept);
  }
}

ConfinedCatalog::Package ConfinedCatalog::resolve(std::string_view install_id,
                                                  const env::InstallDescriptor& descriptor,
                                                  std::string_view system, const PodAnswers* pod,
                                                  const Secret& token) const {
  json question = {{"install_id", install_id},
                   {"pkg_path", descriptor.pkg_path},
                   {"pkg_group", descriptor.pkg_group},
                   {"priority", descriptor.priority},
                   {"system", system}};
  if (descriptor.version) question["version"] = *descriptor.version;
  const auto read = [&](const json& answer, bool kept) {
    env::Lockfile lock = env::Lockfile::parse(string_member(answer, "lock", answer_name));
    if (lock.packages.size() != 1)
      fail(ErrorKind::internal, "the fetcher gave {} packages", lock.packages.size());
    catalog::Resolved resolved{.package = std::move(lock.packages[0]), .evidence = evidence_of(answer)};
    catalog::Origin origin =
        kept ? verifier_.check_kept(resolved, install_id, descriptor, system,
                                    newest_of(resolved.evidence, trust::package_name(descriptor.pkg_path)))
             : verifier_.check(resolved, install_id, descriptor, system);
    if (!kept && origin) signed_texts_.remember(*resolved.evidence, origin->name, verifier_.store());
    return Package{.package = std::move(resolved.package), .origin = std::move(origin)};
  };
  return answered(question, pod, token, read, [&](const Package& result) {
    return !catalog::VersionConstraint(descriptor.version.value_or("")).names(result.package.version);
  });
}

ConfinedCatalog::Environment ConfinedCatalog::environment(const catalog::EnvironmentName& name,
                                                          const PodAnswers* pod, const Secret& token) const {
  const auto read = [&](const json& answer, bool kept) {
    const json& generation = member(answer, "generation", answer_name);
    if (!generation.is_number_integer())
      fail(ErrorKind::internal, "{}: 'generation' is not a number", answer_name);
    catalog::Pushed pushed{.generation = generation.get<int64_t>(),
                           .manifest = string_member(answer, "manifest", answer_name),
                           .lock = env::Lockfile::parse(string_member(answer, "lock", answer_name)),
                           .evidence = evidence_of(answer)};
    catalog::Origin origin = kept ? verifier_.check_kept(pushed, name, newest_of(pushed.evidence, ""))
                                  : verifier_.check(pushed, name);
    if (!kept && origin) signed_texts_.remember(*pushed.evidence, origin->name, verifier_.store());
    return Environment{
        .generation = pushed.generation, .lock = std::move(pushed.lock), .origin = std::move(origin)};
  };
  return answered({{"environment", name.to_string()}}, pod, token, read,
                  [&](const Environment&) { return !name.generation; });
}

catalog::AnswerVerifier::Newest ConfinedCatalog::newest_of(const std::optional<trust::Evidence>& evidence,
                                                           const std::string& name) const {
  if (!evidence) return {};
  return {.targets = signed_texts_.targets_of(evidence->owner),
          .name_file = name.empty() ? std::string() : signed_texts_.name_file_of(evidence->owner, name)};
}

std::optional<catalog::StartProfile> ConfinedCatalog::start_profile(const std::string& name) const {
  const json answer = ask({{"start_profile_of", name}});
  if (!answer.contains("start_profile")) return std::nullopt;
  return catalog::StartProfile::parse(string_member(answer, "start_profile", answer_name));
}

void ConfinedCatalog::report(const std::string& node, const json& report) const {
  ask({{"node", node}, {"report", report}});
}

std::optional<std::string> ConfinedCatalog::root(const std::string& owner, uint64_t version) const {
  const json answer = ask({{"root_of", owner}, {"version", version}});
  return answer.contains("root") ? std::optional(string_member(answer, "root", answer_name)) : std::nullopt;
}

json ConfinedCatalog::ask(json question, const Secret& token) const {
  const trace::Span span("catalog", trace::Kind::client);
  if (const auto context = trace::Span::current()) question["traceparent"] = context->to_string();
  if (!token.empty()) question["token"] = token.reveal();
  return parse_json(service_.ask(text_of(question)), answer_name);
}

}  // namespace flox::node
