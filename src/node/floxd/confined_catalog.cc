#include "node/floxd/confined_catalog.h"

#include "base/data/json.h"
#include "base/error.h"
#include "catalog/client.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr std::string_view job_name = "catalog";
constexpr uint64_t memory = 512ULL << 20;  // bytes: libraries and stacks, and an answer of a few MB
constexpr auto time_limit = std::chrono::seconds(90);
constexpr unsigned threads = 4;

// In the fetcher: the question is ours, the answer the catalog's.
std::string answer(catalog::Client& client, std::string_view text) {
  const json question = parse_json(text, "the question");
  if (question.contains("environment"))
    return client
        .environment(catalog::parse_environment_name(string_member(question, "environment", "the question")))
        .lock.to_string();
  const std::string id = string_member(question, "install_id", "the question");
  env::InstallDescriptor descriptor{.pkg_path = string_member(question, "pkg_path", "the question"),
                                    .version = {},
                                    .pkg_group = string_member(question, "pkg_group", "the question"),
                                    .priority = question.at("priority").get<int>(),
                                    .store_path = {}};
  if (question.contains("version")) descriptor.version = string_member(question, "version", "the question");
  env::Lockfile lock{.manifest = json::object(), .packages = {}};
  lock.packages.push_back(client.resolve(id, descriptor, string_member(question, "system", "the question")));
  return lock.to_string();
}

std::string answer_all(std::string_view url, ConfinedChannel& channel) {
  std::vector<ConfinedAnswer> answers;
  for (unsigned i = 0; i < threads; ++i)
    answers.emplace_back([client = std::make_shared<catalog::Client>(std::string(url))](
                             std::string_view question) { return answer(*client, question); });
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
    : service_(service_options(config, fetchers)) {}

env::LockedPackage ConfinedCatalog::resolve(std::string_view install_id,
                                            const env::InstallDescriptor& descriptor,
                                            std::string_view system) const {
  json question = {{"install_id", install_id},
                   {"pkg_path", descriptor.pkg_path},
                   {"pkg_group", descriptor.pkg_group},
                   {"priority", descriptor.priority},
                   {"system", system}};
  if (descriptor.version) question["version"] = *descriptor.version;
  env::Lockfile lock = ask(question);
  if (lock.packages.size() != 1)
    fail(ErrorKind::internal, "the fetcher gave {} packages", lock.packages.size());
  return std::move(lock.packages[0]);
}

env::Lockfile ConfinedCatalog::environment(const catalog::EnvironmentName& name) const {
  return ask({{"environment", name.to_string()}});
}

env::Lockfile ConfinedCatalog::ask(const json& question) const {
  return env::Lockfile::parse(service_.ask(question.dump(-1, ' ', false, json::error_handler_t::replace)));
}

}  // namespace flox::node
