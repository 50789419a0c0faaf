#include "catalog/client.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <tuple>
#include <type_traits>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/net/form.h"
#include "base/net/http_client.h"
#include "base/net/netrc.h"
#include "base/net/problem.h"
#include "base/net/retry_after.h"
#include "base/printable.h"
#include "base/trace/span.h"
#include "catalog/cpu_level.h"
#include "catalog/known_answers.h"
#include "catalog/settings.h"

namespace flox::catalog {
namespace {

using nlohmann::json;

constexpr BodyLimit max_answer(16 << 20);
constexpr const char* answer_name = "the catalog's answer";
constexpr const char* trust_path = "/api/v1/trust";
constexpr size_t longest_message = 300;   // characters
constexpr size_t most_elements = 20'000;  // of a list
constexpr size_t most_pages = 100;
constexpr size_t page_size = 1000;      // of them in one answer
constexpr size_t most_questions = 100;  // items of a request: as many as catalogs take

// A member that is text, or nothing; one line, since people get to read it.
std::string text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? printable(it->get_ref<const std::string&>(), longest_message)
                                               : "";
}

// An array that is a member.
const json& list(const json& object, const char* key) {
  const json& found = member(object, key, answer_name);
  if (!found.is_array()) fail(ErrorKind::invalid_input, "{}: '{}' is not an array", answer_name, key);
  return found;
}

int64_t number(const json& object, const char* key) {
  const json& found = member(object, key, answer_name);
  if (!found.is_number_integer())
    fail(ErrorKind::invalid_input, "{}: '{}' is not a number", answer_name, key);
  return found.get<int64_t>();
}

// Its first element, which there must be.
const json& first_of(const json& array, const char* what) {
  if (array.empty()) fail(ErrorKind::invalid_input, "{}: '{}' is empty", answer_name, what);
  return array.front();
}

// An item of an answer to "resolve", as a locked package. Throws Error(not_found) with the catalog's reason.
env::LockedPackage locked_of(const json& item, std::string_view what, int priority) {
  const json& page = member(item, "page", answer_name);
  const json complete = page.is_object() ? page.value("complete", json()) : json();
  if (complete.is_boolean() && complete.get<bool>()) {
    json package = first_of(list(page, "packages"), "packages");
    if (!package.is_object()) fail(ErrorKind::invalid_input, "{}: a package is not an object", answer_name);
    package["priority"] = priority;
    json lock = {{"lockfile-version", 1}, {"packages", {package}}};
    return env::Lockfile::parse(lock.dump()).packages.at(0);
  }
  const json& messages = list(item, "messages");
  const json message = messages.empty() ? json::object() : messages.front();
  std::string why = text(message, "message");
  throw Error(ErrorKind::not_found,
              fmt::format("{}: {}", what, why.empty() ? "the catalog cannot resolve it" : why),
              message.is_object() ? text(message.value("context", json()), "advice") : "");
}

// Why its package was yanked, if it was.
std::optional<std::string> yanked_in(const json& item) {
  for (const json& one : list(item, "messages"))
    if (text(one, "type") == "yanked") return text(one, "message");
  return std::nullopt;
}

// The evidence of a name, if the answer has any.
std::optional<trust::Evidence> evidence_of(const json& answer, const std::string& name) {
  const auto all = answer.find("evidence");
  if (all == answer.end() || all->is_null()) return std::nullopt;
  if (!all->is_object()) fail(ErrorKind::invalid_input, "{}: 'evidence' is not an object", answer_name);
  const auto found = all->find(name);
  return found == all->end() ? std::nullopt : std::optional(trust::Evidence::from_json(*found));
}

std::string name_of(const env::InstallDescriptor& descriptor) {
  return fmt::format("package '{}'{}", descriptor.pkg_path,
                     descriptor.version ? " " + *descriptor.version : "");
}

// One question to "resolve", as an item of its own: its answer says nothing about others.
json item_of(const env::PackageQuestion& question) {
  const env::InstallDescriptor& descriptor = question.descriptor;
  json wanted = {{"install_id", question.install_id},
                 {"attr_path", descriptor.pkg_path},
                 {"systems", {question.system}},
                 {"cpu_level", cpu_level()}};
  if (descriptor.version) wanted["version"] = *descriptor.version;
  return {{"name", descriptor.pkg_group}, {"descriptors", {wanted}}};
}

// What item number `index` of an answer says.
Client::ResolvedOrMissing answer_to(const env::PackageQuestion& question, const json& answer, size_t index) {
  const json& item = list(answer, "items").at(index);
  try {
    return Resolved{locked_of(item, name_of(question.descriptor), question.descriptor.priority),
                    evidence_of(answer, trust::package_name(question.descriptor.pkg_path)), yanked_in(item)};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return error;
  }
}

HttpRequest post(std::string path, const json& body) {
  return {.method = "POST",
          .url = std::move(path),
          .headers = {{"Content-Type", "application/json"}},
          .body = body.dump(-1, ' ', false, json::error_handler_t::replace),
          .max_body = max_answer};
}

constexpr const char* attestations_path = "/api/v1/attestations";
constexpr size_t most_digests = 5'000;    // of one question
constexpr size_t most_attestations = 16;  // of a path

std::vector<std::string> envelopes_of(const json& answer) {
  const json& items = list(answer, "attestations");
  if (items.size() > most_attestations)
    fail(ErrorKind::invalid_input, "{}: it has more than {} attestations", answer_name, most_attestations);
  std::vector<std::string> envelopes;
  for (const json& item : items) envelopes.push_back(string_member(item, "envelope", answer_name));
  return envelopes;
}

HttpUrl catalog_url(const std::string& url, const std::string& setting) try {
  return in_context(fmt::format("the catalog's URL ({})", setting), [&] { return HttpUrl::parse(url); });
} catch (const Error& error) {
  throw error.with_advice("Write it as https://catalog.example.org or http://HOST:PORT.");
}

std::string environment_path(const EnvironmentName& name) {
  return fmt::format("/api/v1/environments/{}/{}", url_encode(name.owner), url_encode(name.name));
}

std::string start_profile_path(std::string_view name) {
  const std::string path = is_environment_name(name) ? environment_path(parse_environment_name(name))
                                                     : "/api/v1/catalog/packages/" + url_encode(name);
  return path + "/start-profile";
}

uint64_t count_in(const json& object, const char* key) {
  const json& found = member(object, key, answer_name);
  if (!found.is_number_unsigned())
    fail(ErrorKind::invalid_input, "{}: '{}' is not a count", answer_name, key);
  return found.get<uint64_t>();
}

int64_t generation_number(const json& answer) {
  const int64_t generation = number(answer, "generation");
  if (generation < 1) fail(ErrorKind::invalid_input, "{}: {} is not a generation", answer_name, generation);
  return generation;
}

// RFC 9110, section 8.8.3; empty if the answer has none that is a short one. It is sent back.
std::string entity_tag_of(const HttpResponse& response) {
  constexpr size_t longest = 200;  // bytes
  const auto field = response.headers.find("etag");
  if (field == response.headers.end()) return {};
  const std::string& tag = field->second;
  const bool is_one = tag.size() > 2 && tag.size() <= longest && tag.front() == '"' && tag.back() == '"' &&
                      printable(tag, longest) == tag;
  return is_one ? tag : "";
}

HttpRequest get(std::string path) { return {.url = std::move(path), .max_body = max_answer}; }

// The trace that the request is a part of: the thread's, or the program's caller's, as OpenTelemetry's tools
// pass it on.
std::optional<trace::Context> caller_trace() {
  if (const auto present = trace::Span::current()) return present;
  const char* const text = std::getenv("TRACEPARENT");
  return text == nullptr ? std::nullopt : trace::parse_traceparent(text);
}

}  // namespace

struct Client::State {
  std::string url;    // without a login
  std::string given;  // as configured: for those who open the cache with it
  std::optional<Login> login;
  Secret token;
  std::string setting;  // what the URL comes from, for messages
  HttpClient http;
  KnownAnswers known;
  std::mutex mutex;  // of both: who verifies answers may ask for a root meanwhile

  // The catalog's own words for a failure. Others that answer at this address (a proxy, another service) have
  // none.
  [[noreturn]] void fail_with(const HttpResponse& response, std::string_view what) const {
    const Problem problem = problem_of(response);
    ErrorKind kind = response.status == 404                             ? ErrorKind::not_found
                     : response.status == 409 || response.status == 412 ? ErrorKind::conflict
                     : response.status == 401 || response.status == 403 ? ErrorKind::untrusted
                     : response.status == 429                           ? ErrorKind::unavailable
                     : response.status < 500                            ? ErrorKind::invalid_input
                                                                        : ErrorKind::unavailable;
    if (problem.detail.empty())
      throw Error(kind, fmt::format("{}: the catalog answered {}", what, response.status),
                  fmt::format("Check {}: it must be the URL of a catalog.", setting));
    throw Error(kind, fmt::format("{}: {}", what, problem.detail), problem.advice);
  }

  HttpResponse send(HttpRequest request) {
    if (url.empty())
      throw Error(ErrorKind::invalid_input, "no catalog is configured",
                  "Set FLOX_CATALOG_URL, or catalog_url in /etc/flox/config.toml.");
    request.url = url + request.url;
    // A login may be a proxy's, for which a token is none: where reading needs both, the login's password is
    // the token.
    if (!login && request.bearer.empty()) request.bearer = token;
    request.login = login;
    const std::lock_guard lock(mutex);
    known.ask_for_changes(request);
    if (const auto context = caller_trace())
      request.headers.emplace_back("traceparent", context->to_string());
    try {
      return known.answer_to(request, send_patiently(http, request));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable) throw error.with_context("asking the catalog");
      throw error.with_context(fmt::format("the catalog at {} cannot be reached", printable_url(url)))
          .with_advice(fmt::format("Check that flox-catalog runs there, and check {}.", setting));
    }
  }
  // Sends, and throws the catalog's words for a failure.
  HttpResponse send_well(HttpRequest request, std::string_view what) {
    HttpResponse response = send(std::move(request));
    if (!response.ok()) fail_with(response, what);
    return response;
  }
  // The same, and gives the answer's JSON to `read`.
  template <typename Read>
  auto ask(HttpRequest request, std::string_view what, Read&& read) {
    const HttpResponse response = send_well(std::move(request), what);
    try {
      if constexpr (std::is_invocable_v<Read, const json&, const HttpResponse&>)
        return read(parse_json(response.body, answer_name), response);
      else
        return read(parse_json(response.body, answer_name));
    } catch (const std::exception& exception) {
      const Error error = to_error(exception);
      if (error.kind() != ErrorKind::invalid_input) throw;
      refuse_answer(what, error.what());
    }
  }
  // Gives each element of a list to `take`, page by page.
  template <typename Take>
  void all_pages(const std::string& path, std::string_view what, Take&& take) {
    std::string next;
    size_t count = 0;
    for (size_t page = 0; page == 0 || !next.empty(); ++page) {
      if (page == most_pages) refuse_answer(what, fmt::format("a list has more than {} pages", most_pages));
      const std::string from = next.empty() ? "" : "&cursor=" + url_encode(next);
      const char separator = path.find('?') == std::string::npos ? '?' : '&';
      next = ask(get(fmt::format("{}{}page_size={}{}", path, separator, page_size, from)), what,
                 [&](const json& answer) {
                   const json& items = list(answer, "items");
                   if ((count += items.size()) > most_elements)
                     fail(ErrorKind::invalid_input, "{}: it has more than {} elements", answer_name,
                          most_elements);
                   for (const auto& item : items) take(item);
                   std::string cursor = optional_string(answer, "next", answer_name);
                   if (!cursor.empty() && items.empty())
                     fail(ErrorKind::invalid_input, "{}: a page is empty, and not the last", answer_name);
                   return cursor;
                 });
    }
  }
  // Appends the answers. What the catalog refuses at once, because it is too much or because one of the
  // questions is none, is asked in halves: so the refusal of one is the answer to it.
  void resolve(std::span<const env::PackageQuestion> questions, std::vector<ResolvedOrMissing>& answers) {
    json items = json::array();
    for (const auto& question : questions) items.push_back(item_of(question));
    const std::string what = questions.size() == 1 ? name_of(questions.front().descriptor)
                                                   : fmt::format("{} packages", questions.size());
    try {
      ask(post("/api/v1/catalog/resolve", {{"items", std::move(items)}}), what, [&](const json& answer) {
        if (list(answer, "items").size() != questions.size())
          fail(ErrorKind::invalid_input, "{}: 'items' has not one element per question", answer_name);
        for (size_t i = 0; i < questions.size(); ++i) answers.push_back(answer_to(questions[i], answer, i));
      });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::invalid_input) throw;
      if (questions.size() == 1) {
        answers.emplace_back(error);
        return;
      }
      const size_t half = questions.size() / 2;
      resolve(questions.first(half), answers);
      resolve(questions.subspan(half), answers);
    }
  }
  std::vector<PackageBuild> all_builds(const std::string& path, std::string_view what) {
    std::vector<PackageBuild> builds;
    all_pages(path, what, [&](const json& item) { builds.push_back(PackageBuild::from_json(item)); });
    return builds;
  }
  [[noreturn]] void refuse_answer(std::string_view what, std::string_view why) const {
    throw Error(ErrorKind::unavailable,
                fmt::format("{}: what answers at {} is not a catalog ({})", what, printable_url(url),
                            printable(why, longest_message)),
                fmt::format("Check {}.", setting));
  }
};

Client::Client(std::string url, Secret token, std::string setting) : state_(std::make_unique<State>()) {
  while (url.ends_with('/')) url.pop_back();
  state_->given = url;
  state_->token = std::move(token);
  state_->setting = std::move(setting);
  if (url.empty()) return;
  const HttpUrl parsed = catalog_url(url, state_->setting);
  std::tie(state_->url, state_->login) = split_login(url);
  if (!state_->login || state_->login->password.empty())
    if (auto found = netrc_login(parsed)) state_->login = std::move(found);
}
Client::~Client() = default;

std::string Client::cache_url() const { return cache_url_of(state_->given); }

Resolved Client::resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                         std::string_view system) {
  const env::PackageQuestion question{
      .install_id = std::string(install_id), .descriptor = descriptor, .system = std::string(system)};
  ResolvedOrMissing answer = std::move(resolve_all({&question, 1}).front());
  if (const Error* const missing = std::get_if<Error>(&answer)) throw Error(*missing);
  return std::get<Resolved>(std::move(answer));
}

std::vector<Client::ResolvedOrMissing> Client::resolve_all(std::span<const env::PackageQuestion> questions) {
  std::vector<ResolvedOrMissing> answers;
  for (size_t begin = 0; begin < questions.size(); begin += most_questions)
    state_->resolve(questions.subspan(begin, std::min(most_questions, questions.size() - begin)), answers);
  return answers;
}

std::vector<PackageBuild> Client::show(std::string_view name) {
  std::string what = fmt::format("package '{}'", name);
  auto builds = state_->all_builds("/api/v1/catalog/packages/" + url_encode(name), what);
  if (builds.empty()) fail(ErrorKind::not_found, "{}: the catalog has no build of it", what);
  return builds;
}

std::vector<PackageBuild> Client::search(std::string_view term, std::string_view system) {
  std::string path = "/api/v1/catalog/search?search_term=" + url_encode(term);
  if (!system.empty()) path += "&system=" + url_encode(system);
  return state_->all_builds(path, fmt::format("searching '{}'", term));
}

Pushed Client::environment(const EnvironmentName& name) {
  std::string path = environment_path(name);
  if (name.generation) path += fmt::format("?generation={}", *name.generation);
  return state_->ask(get(path), fmt::format("environment '{}'", name.to_string()),
                     [&](const json& answer, const HttpResponse& response) {
                       return Pushed{generation_number(answer),
                                     string_member(answer, "manifest", answer_name),
                                     env::Lockfile::parse(member(answer, "lock", answer_name).dump()),
                                     evidence_of(answer, trust::environment_name(name.name)),
                                     text(answer, "pushed_at"),
                                     entity_tag_of(response)};
                     });
}

std::optional<Pushed> Client::latest_generation(const EnvironmentName& name) try {
  return environment({.owner = name.owner, .name = name.name, .generation = {}});
} catch (const Error& error) {
  if (error.kind() != ErrorKind::not_found) throw;
  return std::nullopt;
}

std::vector<ListedGeneration> Client::generations(const EnvironmentName& name) {
  std::vector<ListedGeneration> result;
  state_->all_pages(
      environment_path(name) + "/generations",
      fmt::format("generations of environment '{}/{}'", name.owner, name.name), [&](const json& item) {
        result.push_back({.number = generation_number(item), .pushed_at = text(item, "pushed_at")});
      });
  return result;
}

int64_t Client::push(const EnvironmentName& name, const std::string& manifest, const env::Lockfile& lock,
                     const std::string& name_file, const std::optional<Pushed>& upon) {
  json body = {{"manifest", manifest}, {"lock", parse_json(lock.to_string(), "the lock")}};
  if (!name_file.empty()) body["name_file"] = name_file;
  HttpRequest request = post(environment_path(name), body);
  request.bearer = state_->token;
  const std::string what = fmt::format("pushing environment '{}'", name.to_string());
  if (upon && upon->tag.empty()) state_->refuse_answer(what, "an environment has no entity tag");
  request.headers.emplace_back(upon ? "If-Match" : "If-None-Match", upon ? upon->tag : "*");
  return state_->ask(std::move(request), what, generation_number);
}

json Client::ask(const std::string& method, const std::string& path, const json& body, std::string_view what,
                 Patience patience) {
  HttpRequest request = body.is_null() ? get(path) : post(path, body);
  if (patience == Patience::long_work) {
    request.timeout = std::chrono::milliseconds(0);
    request.stall_timeout = std::chrono::hours(1);
  }
  request.method = method;
  request.bearer = state_->token;
  return state_->ask(std::move(request), what, [](const json& answer) { return answer; });
}

json Client::ask_all(const std::string& path, std::string_view what) {
  json items = json::array();
  state_->all_pages(path, what, [&](const json& item) { items.push_back(item); });
  return items;
}

json Client::ask_with_form(const std::string& path, const Form& form, std::string_view what) {
  return state_->ask(form_request(path, form, max_answer), what, [](const json& answer) { return answer; });
}

bool Client::publish(const PackageBuild& build, const std::string& name_file) {
  json body = build.to_json();
  if (!name_file.empty()) body["name_file"] = name_file;
  HttpRequest request = post("/api/v1/catalog/packages/" + url_encode(build.name) + "/builds", body);
  request.bearer = state_->token;
  return state_->send_well(std::move(request), "recording it in the catalog").status == 201;
}

void Client::yank(const std::string& package, const std::string& version,
                  const std::optional<std::string>& reason, const std::string& name_file) {
  json body = {{"reason", reason ? json(*reason) : json()}};
  if (!name_file.empty()) body["name_file"] = name_file;
  HttpRequest request = post(
      fmt::format("/api/v1/catalog/packages/{}/versions/{}/yank", url_encode(package), url_encode(version)),
      body);
  request.bearer = state_->token;
  state_->send_well(std::move(request), fmt::format("{} {}", package, version));
}

nix::PublicKey Client::online_key() {
  return state_->ask(get(fmt::format("{}/online-key", trust_path)), "the catalog's online key",
                     [](const json& answer) {
                       return nix::PublicKey::parse(string_member(answer, "public_key", answer_name));
                     });
}

std::optional<std::string> Client::trust_file(const std::string& path) {
  HttpResponse response = state_->send(get(std::string(trust_path) + path));
  if (response.status == 404) return std::nullopt;
  if (!response.ok()) state_->fail_with(response, "signed metadata of the catalog");
  return std::move(response.body);
}

std::optional<std::string> Client::root(std::string_view owner, std::optional<uint64_t> version) {
  return trust_file(version ? fmt::format("/{}/root/{}", url_encode(owner), *version)
                            : fmt::format("/{}/root", url_encode(owner)));
}

std::optional<std::string> Client::targets(std::string_view owner) {
  return trust_file(fmt::format("/{}/targets", url_encode(owner)));
}

std::optional<trust::Evidence> Client::evidence(std::string_view owner, std::string_view name) {
  const auto text = trust_file(fmt::format("/{}/evidence?name={}", url_encode(owner), url_encode(name)));
  if (!text) return std::nullopt;
  try {
    return trust::Evidence::from_json(parse_json(*text, answer_name));
  } catch (const Error& error) {
    state_->refuse_answer(fmt::format("what {} has signed of {}", owner, name), error.what());
  }
}

std::optional<trust::NameTree> Client::names(std::string_view owner) {
  const auto text = trust_file(fmt::format("/{}/names", url_encode(owner)));
  if (!text) return std::nullopt;
  try {
    return trust::NameTree::parse(*text, answer_name);
  } catch (const Error& error) {
    state_->refuse_answer(fmt::format("the names of {}", owner), error.what());
  }
}

void Client::put_trust_file(std::string_view owner, const char* file, const std::string& text) {
  HttpRequest request{.method = "PUT",
                      .url = fmt::format("{}/{}/{}", trust_path, url_encode(owner), file),
                      .headers = {{"Content-Type", "application/json"}},
                      .body = text,
                      .max_body = max_answer};
  request.bearer = state_->token;
  state_->send_well(std::move(request), fmt::format("publishing {} of {}", file, owner));
}

void Client::put_root(std::string_view owner, const std::string& text) {
  put_trust_file(owner, "root", text);
}

void Client::put_targets(std::string_view owner, const std::string& text) {
  put_trust_file(owner, "targets", text);
}

bool Client::attest(const nix::StorePath& path, const std::string& envelope) {
  HttpRequest request{.method = "PUT",
                      .url = fmt::format("{}/{}", attestations_path, path.digest()),
                      .headers = {{"Content-Type", "application/vnd.dsse.envelope.v1+json"}},
                      .body = envelope,
                      .max_body = max_answer};
  request.bearer = state_->token;
  HttpResponse response = state_->send(std::move(request));
  if (response.status == 409) return false;
  if (!response.ok()) state_->fail_with(response, fmt::format("attesting {}", path.to_string()));
  return true;
}

nix::StorePathSet Client::attested(const nix::StorePathSet& paths) {
  nix::StorePathSet result;
  for (auto path = paths.begin(); path != paths.end();) {
    json digests = json::array();
    std::map<std::string, nix::StorePath, std::less<>> asked;
    for (; path != paths.end() && asked.size() < most_digests; ++path) {
      digests.push_back(path->digest());
      asked.emplace(path->digest(), *path);
    }
    state_->ask(post(attestations_path, {{"digests", std::move(digests)}}), "asking for attestations",
                [&](const json& answer) {
                  for (const json& digest : list(answer, "digests"))
                    if (const auto known = asked.find(digest.is_string() ? digest.get<std::string>() : "");
                        known != asked.end())
                      result.insert(known->second);
                });
  }
  return result;
}

std::vector<std::string> Client::attestations(const nix::StorePath& path) {
  try {
    return state_->ask(get(fmt::format("{}/{}", attestations_path, path.digest())),
                       fmt::format("the attestations of {}", path.to_string()), envelopes_of);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return {};
  }
}

std::optional<StartProfile> Client::start_profile(std::string_view name) {
  const std::string what = fmt::format("the start profile of {}", name);
  const HttpResponse response = state_->send(get(start_profile_path(name)));
  if (response.status == 404) return std::nullopt;
  if (!response.ok()) state_->fail_with(response, what);
  try {
    return StartProfile::parse(response.body);
  } catch (const Error& error) {
    state_->refuse_answer(what, error.what());
  }
}

StartProfile::Size Client::publish_start_profile(std::string_view name, const StartProfile& profile) {
  HttpRequest request{.method = "PUT",
                      .url = start_profile_path(name),
                      .headers = {{"Content-Type", "application/json"}},
                      .body = profile.to_text(),
                      .max_body = max_answer};
  request.bearer = state_->token;
  return state_->ask(
      std::move(request), fmt::format("publishing a start profile of {}", name), [](const json& answer) {
        return StartProfile::Size{.ranges = count_in(answer, "ranges"), .bytes = count_in(answer, "bytes")};
      });
}

void Client::remove_start_profile(std::string_view name) {
  HttpRequest request{.method = "DELETE", .url = start_profile_path(name), .max_body = max_answer};
  request.bearer = state_->token;
  state_->send_well(std::move(request), fmt::format("removing the start profile of {}", name));
}

}  // namespace flox::catalog
