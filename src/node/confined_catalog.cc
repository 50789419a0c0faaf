#include "node/confined_catalog.h"

#include "base/error.h"
#include "base/json.h"
#include "catalog/client.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr std::string_view job_name = "catalog";
constexpr uint64_t memory = 512ULL << 20;  // bytes: libraries and stacks, and an answer of a few MB
constexpr auto time_limit = std::chrono::seconds(90);

// In the fetcher: the question is ours, the answer the catalog's.
std::string answer(std::string_view text, ConfinedChannel& channel) {
  const json question = parse_json(text, "the question");
  const std::string url = string_member(question, "url", "the question");
  catalog::Client client(url);  // with its passwords
  channel.confine();
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

}  // namespace

void add_catalog_job() { add_confined_job(job_name, answer); }

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
  json whole = question;
  whole["url"] = config_.catalog_url;
  const ConfinedRequest request{.job = std::string(job_name),
                                .text = whole.dump(-1, ' ', false, json::error_handler_t::replace),
                                .sandbox = {.writable = {},
                                            .readable = network_files(),
                                            .ports = store::ports_of({config_.catalog_url}),
                                            .memory = memory,
                                            .file_size = 0},
                                .policy = config_.isolation,
                                .deadline = time_limit,
                                .on_call = {},
                                .on_note = {}};
  return env::Lockfile::parse(fetchers_.take()->serve(request));
}

}  // namespace flox::node
