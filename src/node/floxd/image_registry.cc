#include "node/floxd/image_registry.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/foreign_error.h"
#include "base/letter_case.h"
#include "base/log.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "node/images/reference.h"

namespace flox::node {
namespace {

constexpr size_t most_pulls = 256;    // going on, or ended just now
constexpr size_t most_waiting = 384;  // requests; each has a connection, of which there are some more
constexpr size_t most_allowed = 4096;
constexpr auto failure_life = std::chrono::seconds(5);   // containerd asks two or three times in a row
constexpr auto allowed_life = std::chrono::minutes(10);  // manifest and blobs follow the tag at once
constexpr size_t longest_credentials = 8 << 10;
constexpr size_t longest_reason = 900;
constexpr std::string_view key_field = "x-flox-node-key";
constexpr std::string_view digest_prefix = "sha256:";
constexpr const char* anonymous = "anonymous";
constexpr const char* token_path = "/token";

// "/v2/REPOSITORY/KIND/REFERENCE".
struct AskedFor {
  std::string repository, kind, reference;
};

AskedFor asked_for(const std::string& path) {
  constexpr std::string_view root = "/v2/";
  const size_t last = path.rfind('/');
  const size_t before =
      last == std::string::npos || last == 0 ? std::string::npos : path.rfind('/', last - 1);
  if (!path.starts_with(root) || before == std::string::npos || before < root.size())
    fail(ErrorKind::not_found, "{} is not a path of a registry", printable(path, 300));
  return {path.substr(root.size(), before - root.size()), path.substr(before + 1, last - before - 1),
          path.substr(last + 1)};
}

// What follows the scheme in the field; nothing if it has another scheme.
std::optional<std::string> authorization(const ServerRequest& request, std::string_view scheme) {
  const auto field = request.headers.find("authorization");
  if (field == request.headers.end() || field->second.size() > longest_credentials) return std::nullopt;
  const std::string& value = field->second;
  if (value.size() <= scheme.size() || value[scheme.size()] != ' ') return std::nullopt;
  if (!is_same_in_any_case(std::string_view(value).substr(0, scheme.size()), scheme)) return std::nullopt;
  return value.substr(scheme.size() + 1);
}

// What is wrong with it must not repeat it: it has a password.
std::string login_in(const std::string& basic) {
  try {
    return from_base64(basic);
  } catch (const Error&) {
    fail(ErrorKind::invalid_input, "the login is not base64");
  }
}

std::string text_of(const Error& error) {
  return error.advice().empty() ? std::string(error.what())
                                : fmt::format("{}. {}", error.what(), error.advice());
}

// In a status line: printable ASCII.
std::string reason_of(const Error& error) {
  std::string reason = printable(text_of(error), longest_reason);
  for (char& c : reason)
    if (static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return reason;
}

struct Refusal {
  int status;
  const char* code;  // of the specification
};
// 404 is not among them: containerd makes its own sentence of that.
Refusal refusal_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::untrusted:
      return {403, "DENIED"};
    case ErrorKind::invalid_input:
      return {400, "NAME_INVALID"};
    case ErrorKind::not_found:
      return {422, "MANIFEST_UNKNOWN"};
    case ErrorKind::conflict:
      return {409, "UNSUPPORTED"};
    case ErrorKind::unavailable:
    case ErrorKind::internal:
      break;
  }
  return {503, "UNAVAILABLE"};
}

ServerResponse answer_to(const Error& error, int status, const char* code) {
  const nlohmann::json document = {{"errors", {{{"code", code}, {"message", text_of(error)}}}}};
  return {.status = status,
          .reason = reason_of(error),
          .content_type = "application/json",
          .body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
          .headers = {{"Cache-Control", "no-store"}}};
}

Error ending() {
  return {ErrorKind::unavailable, "floxd is stopping, and leaves what it pulls to the next one",
          "Try again in a moment."};
}

ServerResponse blob_of(const KeptImage& kept, const std::string& hex) {
  return {.content_type = hex == kept.manifest ? oci::manifest_media_type : "application/octet-stream",
          .body = kept.layout.blobs.at(hex),
          .headers = {{"Docker-Content-Digest", std::string(digest_prefix) + hex}}};
}

}  // namespace

Secret node_key_of(const std::filesystem::path& file) {
  try {
    return read_secret_file(file);
  } catch (const Error& error) {
    log::warning("no images of flox.local are served: {}. `flox node install` makes the key.", error.what());
    return {};
  }
}

ImageRegistry::ImageRegistry(Images& images, FairThreads& lane, Options options, Realise realise)
    : images_(images),
      lane_(lane),
      options_(std::move(options)),
      realise_(std::move(realise)),
      own_key_(random_bytes(32)),
      pull_places_(std::make_shared<Places>(most_pulls)),
      waiting_places_(std::make_shared<Places>(most_waiting)) {
  if (!realise_)
    realise_ = [this](const std::string& environment, const Secret& token, const auto& on_resolved) {
      EnvironmentImage image = images_.resolve(environment, token);
      on_resolved(image.environment);
      return in_context(fmt::format("environment '{}'", environment),
                        [&] { return images_.realise(std::move(image), token); });
    };
  late_ = std::jthread([this](const std::stop_token& stop) { answer_late(stop); });
}

bool ImageRegistry::is_for(const ServerRequest& request) {
  if (request.path == token_path) return true;
  const auto registry = request.query.find("ns");
  return registry != request.query.end() && registry->second == image_host;
}

ServerResponse ImageRegistry::answer(const ServerRequest& request) {
  try {
    return answer_checked(request);
  } catch (const std::exception& thrown) {
    const Error error = to_error(thrown);
    const Refusal refusal = refusal_of(error.kind());
    return answer_to(error, refusal.status, refusal.code);
  }
}

ServerResponse ImageRegistry::answer_checked(const ServerRequest& request) {
  if (request.path == token_path) return token_for(request);
  const auto key = request.headers.find(std::string(key_field));
  if (options_.key.empty() || key == request.headers.end() || !options_.key.equals(key->second))
    throw Error(ErrorKind::untrusted, fmt::format("{} serves this node's containerd only", image_host),
                "Run `flox node install`: it writes the key into containerd's hosts.toml.");
  if (request.path == "/v2" || request.path == "/v2/")
    return {.content_type = "application/json", .body = "{}", .headers = {}};
  const AskedFor path = asked_for(request.path);
  const auto bearer = authorization(request, "bearer");
  Asked asked{.repository = path.repository,
              .environment = {},
              .token = Secret(bearer && *bearer != anonymous ? *bearer : ""),
              .has_login = bearer.has_value()};
  try {
    const bool is_digest = path.reference.starts_with(digest_prefix);
    if (path.kind == "manifests" && !is_digest) {
      asked.environment = environment_of_image(path.repository, path.reference);
      return by_tag(asked);
    }
    if (!is_digest || (path.kind != "manifests" && path.kind != "blobs"))
      fail(ErrorKind::not_found, "{} is not a path of a registry", printable(request.path, 300));
    const std::string hex = path.reference.substr(digest_prefix.size());
    return blob_of(*by_digest(hex, asked.token), hex);
  } catch (const Error& error) {
    return refusal(error, asked);
  }
}

// Whoever has no right to see it is told that it does not exist. containerd then comes with the pod's
// imagePullSecrets, or as nobody.
ServerResponse ImageRegistry::refusal(const Error& error, const Asked& asked) const {
  if (error.kind() == ErrorKind::not_found && !asked.has_login) return challenge(error, asked.repository);
  const Refusal refusal = refusal_of(error.kind());
  return answer_to(error, refusal.status, refusal.code);
}

// The token is the password itself, which containerd has: nothing is kept here.
ServerResponse ImageRegistry::token_for(const ServerRequest& request) const {
  std::string token = anonymous;
  if (const auto basic = authorization(request, "basic")) {
    const std::string login = login_in(*basic);
    const size_t colon = login.find(':');
    if (colon == std::string::npos || colon + 1 == login.size())
      fail(ErrorKind::invalid_input, "the login has no password");
    token = login.substr(colon + 1);
    if (!std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; }))
      throw Error(ErrorKind::invalid_input, "the password is not a token of a catalog",
                  "Put a token of the catalog into the imagePullSecret: flox auth token create.");
  }
  return {.content_type = "application/json",
          .body = nlohmann::json({{"token", token}, {"expires_in", 300}}).dump(),
          .headers = {{"Cache-Control", "no-store"}}};
}

ServerResponse ImageRegistry::challenge(const Error& error, const std::string& repository) const {
  ServerResponse response = answer_to(error, 401, "UNAUTHORIZED");
  std::string scope = printable(repository, 300);
  std::erase_if(scope, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) >= 0x7f; });
  response.headers["WWW-Authenticate"] =
      fmt::format(R"(Bearer realm="{}{}",service="{}",scope="repository:{}:pull")", options_.endpoint,
                  token_path, image_host, scope);
  return response;
}

ImageRegistry::Key ImageRegistry::key_of(std::string_view what, const Secret& token) const {
  return hmac_sha256(own_key_, fmt::format("{}\n{}", what, token.reveal()));
}

void ImageRegistry::allow(const Key& key) {
  const std::scoped_lock lock(mutex_);
  const auto now = Clock::now();
  std::erase_if(allowed_, [&](const auto& entry) { return now - entry.second > allowed_life; });
  if (allowed_.size() >= most_allowed) allowed_.clear();  // whoever is among them asks for the tag again
  allowed_.insert_or_assign(key, now);
}

bool ImageRegistry::is_allowed(const Key& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = allowed_.find(key);
  return found != allowed_.end() && Clock::now() - found->second <= allowed_life;
}

std::shared_ptr<const KeptImage> ImageRegistry::by_digest(const std::string& hex, const Secret& token) {
  auto kept = images_.records().with_blob(hex);
  if (!kept || (kept->image.is_private && !is_allowed(key_of(kept->image.id, token))))
    throw Error(ErrorKind::not_found, "this node has made no image with that digest",
                "Name the image by its tag: digests of environments are known where they were pulled.");
  return kept;
}

// A package has no owner in its name: those without a secret share what one owner gets. So do store paths.
// The name has no secret in it: it is for logs, too.
std::string ImageRegistry::owner_of(const Asked& asked) const {
  std::string owner = "nobody";
  if (!asked.environment.starts_with('/') && catalog::is_environment_name(asked.environment))
    owner = catalog::parse_environment_name(asked.environment).owner;
  if (asked.token.empty()) return "images of " + owner;
  return fmt::format("images of {} with secret {}", owner,
                     to_hex(bytes_of(key_of("owner", asked.token))).substr(0, 16));
}

ImageRegistry::Place ImageRegistry::place_of(const std::shared_ptr<Places>& places, const std::string& owner,
                                             const char* what) {
  const std::scoped_lock lock(places->mutex);
  if (!places->fair.has_one_for(owner))
    throw Error(ErrorKind::unavailable,
                fmt::format("{} {} for {}, and {} for all: this node takes no more now",
                            places->fair.taken(owner), what, owner, places->fair.taken()),
                "Try again in a moment.");
  places->fair.take(owner);
  return {places.get(), [places, owner](void*) {
            const std::scoped_lock giving(places->mutex);
            places->fair.give_back(owner);
          }};
}

ServerResponse ImageRegistry::by_tag(const Asked& asked) {
  const std::string owner = owner_of(asked);
  const Key key = key_of(asked.environment, asked.token);
  auto shared = std::make_shared<const Asked>(asked);
  std::shared_ptr<Pull> pull;
  {
    const std::scoped_lock lock(mutex_);
    pull = begin(key, owner, asked);
    if (pull->is_done) return answer_of(*pull, asked);
  }
  Place place = place_of(waiting_places_, owner, "requests");
  return {.later = [this, pull, shared, place](Answer answer) {
    wait(pull, {.asked = shared,
                .answer = std::move(answer),
                .until = Clock::now() + options_.patience,
                .place = place});
  }};
}

std::shared_ptr<ImageRegistry::Pull> ImageRegistry::begin(const Key& key, const std::string& owner,
                                                          const Asked& asked) {
  std::erase_if(pulls_, [now = Clock::now()](const auto& entry) {
    return entry.second->is_done && (!entry.second->failure || now - entry.second->done_at > failure_life);
  });
  if (const auto known = pulls_.find(key); known != pulls_.end()) return known->second;
  auto started = std::make_shared<Pull>();
  started->environment = asked.environment;
  started->place = place_of(pull_places_, owner, "pulls");
  pulls_.emplace(key, started);
  lane_.post(owner, [this, started, environment = asked.environment, token = asked.token] {
    run(started, environment, token);
  });
  return started;
}

void ImageRegistry::wait(const std::shared_ptr<Pull>& pull, Waiting waiting) {
  bool is_done = false;
  {
    const std::scoped_lock lock(mutex_);
    is_done = pull->is_done;
    if (!is_done && !is_ending_) {
      pull->waiting.push_back(std::move(waiting));
      waits_.notify_one();
      return;
    }
  }
  // Nobody changes what is done any more.
  waiting.answer(is_done ? answer_of(*pull, *waiting.asked) : refusal(ending(), *waiting.asked));
}

void ImageRegistry::end_waiting() {
  std::vector<Waiting> all;
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
    for (const auto& [key, pull] : pulls_)
      std::ranges::move(std::exchange(pull->waiting, {}), std::back_inserter(all));
  }
  for (const Waiting& one : all) one.answer(refusal(ending(), *one.asked));
}

ServerResponse ImageRegistry::answer_of(const Pull& pull, const Asked& asked) const {
  return pull.failure ? refusal(*pull.failure, asked) : blob_of(*pull.kept, pull.kept->manifest);
}

void ImageRegistry::run(const std::shared_ptr<Pull>& pull, const std::string& environment,
                        const Secret& token) {
  std::shared_ptr<const KeptImage> kept;
  std::optional<Error> failure;
  try {
    kept = realise_(environment, token, [&](std::string resolved) {
      const std::scoped_lock lock(mutex_);
      pull->environment = std::move(resolved);
    });
    if (kept->image.is_private) allow(key_of(kept->image.id, token));
  } catch (const std::exception& thrown) {
    failure = to_error(thrown);
    log::warning("pulling an image: {}", failure->what());
  }
  std::vector<Waiting> waiting;
  {
    const std::scoped_lock lock(mutex_);
    pull->kept = std::move(kept);
    pull->failure = std::move(failure);
    pull->is_done = true;
    pull->done_at = Clock::now();
    waiting.swap(pull->waiting);
  }
  for (const Waiting& one : waiting) one.answer(answer_of(*pull, *one.asked));
}

void ImageRegistry::answer_late(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    std::vector<std::pair<Waiting, std::string>> late;  // with what they have waited for
    auto next = Clock::time_point::max();
    const auto now = Clock::now();
    for (const auto& [key, pull] : pulls_) {
      const auto split =
          std::ranges::partition(pull->waiting, [&](const auto& one) { return one.until > now; });
      for (Waiting& one : split) late.emplace_back(std::move(one), pull->environment);
      pull->waiting.erase(split.begin(), split.end());
      for (const Waiting& one : pull->waiting) next = std::min(next, one.until);
    }
    if (late.empty()) {
      if (next == Clock::time_point::max())
        waits_.wait(lock, stop, [this] {
          return std::ranges::any_of(pulls_,
                                     [](const auto& entry) { return !entry.second->waiting.empty(); });
        });
      else
        waits_.wait_until(lock, stop, next, [] { return false; });
      continue;
    }
    lock.unlock();
    for (const auto& [one, environment] : late)
      one.answer(refusal({ErrorKind::unavailable,
                          fmt::format("{} is still being fetched after {} s", environment,
                                      std::chrono::ceil<std::chrono::seconds>(options_.patience).count()),
                          "It goes on: a later attempt finds what has come by then."},
                         *one.asked));
    late.clear();
    lock.lock();
  }
}

}  // namespace flox::node
