#include "node/floxd/confined_catalog.h"

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/client.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr std::string_view job_name = "catalog";
constexpr uint64_t memory = 512ULL << 20;  // bytes: libraries and stacks, and an answer of a few MB
constexpr auto time_limit = std::chrono::seconds(90);
constexpr unsigned threads = 4;

// What the fetcher writes, floxd reads.
constexpr const char* answer_name = "the fetcher's answer";

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

std::string answer_with(catalog::Client& client, const json& question) {
  const json answer = question.contains("environment") ? environment_answer(client, question)
                      : question.contains("root_of")   ? root_answer(client, question)
                                                       : package_answer(client, question);
  return answer.dump();
}

// In the fetcher: the question is ours, the answer the catalog's.
std::string answer(catalog::Client& client, const std::string& url, std::string_view text) {
  const json question = parse_json(text, "the question");
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

ConfinedCatalog::ConfinedCatalog(const Config& config, store::FetcherPool& fetchers)
    : service_(service_options(config, fetchers)),
      verifier_(config,
                {.root = [this](const std::string& owner, uint64_t version) { return root(owner, version); },
                 .warn = [](const std::string& warning) { log::warning("{}", warning); }}) {}

ConfinedCatalog::Package ConfinedCatalog::resolve(std::string_view install_id,
                                                  const env::InstallDescriptor& descriptor,
                                                  std::string_view system, const Secret& token) const {
  json question = {{"install_id", install_id},
                   {"pkg_path", descriptor.pkg_path},
                   {"pkg_group", descriptor.pkg_group},
                   {"priority", descriptor.priority},
                   {"system", system}};
  if (descriptor.version) question["version"] = *descriptor.version;
  const json answer = ask(std::move(question), token);
  env::Lockfile lock = env::Lockfile::parse(string_member(answer, "lock", answer_name));
  if (lock.packages.size() != 1)
    fail(ErrorKind::internal, "the fetcher gave {} packages", lock.packages.size());
  catalog::Resolved resolved{.package = std::move(lock.packages[0]), .evidence = evidence_of(answer)};
  catalog::Origin origin = verifier_.check(resolved, install_id, descriptor, system);
  return {.package = std::move(resolved.package), .origin = std::move(origin)};
}

ConfinedCatalog::Environment ConfinedCatalog::environment(const catalog::EnvironmentName& name,
                                                          const Secret& token) const {
  const json answer = ask({{"environment", name.to_string()}}, token);
  const json& generation = member(answer, "generation", answer_name);
  if (!generation.is_number_integer())
    fail(ErrorKind::internal, "{}: 'generation' is not a number", answer_name);
  catalog::Pushed pushed{.generation = generation.get<int64_t>(),
                         .manifest = string_member(answer, "manifest", answer_name),
                         .lock = env::Lockfile::parse(string_member(answer, "lock", answer_name)),
                         .evidence = evidence_of(answer)};
  catalog::Origin origin = verifier_.check(pushed, name);
  return {.generation = pushed.generation, .lock = std::move(pushed.lock), .origin = std::move(origin)};
}

std::optional<std::string> ConfinedCatalog::root(const std::string& owner, uint64_t version) const {
  const json answer = ask({{"root_of", owner}, {"version", version}});
  return answer.contains("root") ? std::optional(string_member(answer, "root", answer_name)) : std::nullopt;
}

json ConfinedCatalog::ask(json question, const Secret& token) const {
  if (!token.empty()) question["token"] = token.reveal();
  return parse_json(service_.ask(question.dump(-1, ' ', false, json::error_handler_t::replace)), answer_name);
}

}  // namespace flox::node
