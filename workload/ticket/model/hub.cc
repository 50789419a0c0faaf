#include "ticket/model/hub.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/data/json.h"
#include "base/data/secret.h"
#include "base/error.h"
#include "base/printable.h"
#include "ticket/environment.h"

namespace ticket::model {

using flox::Error;
using flox::ErrorKind;
using flox::fail;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t max_file = uint64_t{64} << 30;  // bytes; of a file whose size the Hub does not tell
constexpr size_t longest_reason = 300;             // characters

constexpr auto longest_pause = std::chrono::milliseconds(30s);

// Before attempt number `attempt` (the second is 1): half a second doubled each time, half of it at random;
// or what the server asks for.
void pause(int attempt, const flox::HttpResponse* response) {
  auto time = std::min<std::chrono::milliseconds>(500ms * (1 << std::min(attempt - 1, 6)), longest_pause);
  static thread_local std::minstd_rand random{std::random_device{}()};
  time = time / 2 + std::chrono::milliseconds(random() % static_cast<uint32_t>(time.count() / 2 + 1));
  if (response != nullptr) {
    if (auto after = response->headers.find("retry-after"); after != response->headers.end()) {
      long seconds = std::strtol(after->second.c_str(), nullptr, 10);
      if (seconds > 0)
        time = std::min<std::chrono::milliseconds>(std::chrono::seconds(seconds), longest_pause);
    }
  }
  std::this_thread::sleep_for(time);
}

bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

bool is_hex(const std::string& text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The largest listings known have some thousand files.
constexpr flox::JsonLimits listing_limits{.bytes = 16 << 20, .depth = 16, .values = 1 << 18};

uint64_t size_of(const nlohmann::json& entry, const std::string& name) {
  auto size = entry.find("size");
  if (size == entry.end()) return 0;
  if (!size->is_number_unsigned())
    fail(ErrorKind::invalid_input, "the size of {} is not a whole number", name);
  return size->get<uint64_t>();
}

HubFile file_of(const nlohmann::json& entry) {
  HubFile file{.name = flox::string_member(entry, "rfilename", "a file")};
  if (auto large = entry.find("lfs"); large != entry.end() && large->is_object()) {
    file.size = size_of(*large, file.name);
    file.hash = flox::string_member(*large, "sha256", file.name);
  } else {
    file.size = size_of(entry, file.name);
    file.hash = flox::optional_string(entry, "blobId", file.name);
  }
  if (!is_hex(file.hash, 40) && !is_hex(file.hash, 64))
    fail(ErrorKind::invalid_input, "no hash of {} is told", file.name);
  return file;
}

}  // namespace

HubSettings HubSettings::from_environment() {
  HubSettings settings;
  settings.endpoint = environment_or({"HF_ENDPOINT"}, settings.endpoint);
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  settings.token = flox::Secret(environment_or({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}, ""));
  std::string offline = environment_or({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}, "");
  std::ranges::transform(offline, offline.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  settings.offline = offline == "1" || offline == "TRUE" || offline == "YES" || offline == "ON";
  return settings;
}

flox::HttpRequest Hub::request(const std::string& path) const {
  return {.url = settings_.endpoint + "/" + path,
          .timeout = 0ms,
          .bearer = settings_.token,
          .max_body = flox::BodyLimit(listing_limits.bytes)};
}

void Hub::refuse(const flox::HttpResponse& response, const std::string& what) const {
  std::string reason = fmt::format("{}: the Hub at {} answers {}", what,
                                   flox::printable_url(settings_.endpoint), response.status);
  // The Hub's own words, if it has any: "Access to model … is restricted".
  if (auto message = response.headers.find("x-error-message"); message != response.headers.end())
    reason += ": " + flox::printable(message->second, longest_reason);
  switch (response.status) {
    case 401:
    case 403:
      // The Hub says 401 for models that do not exist, too.
      throw Error(
          ErrorKind::untrusted, reason,
          settings_.token.empty()
              ? "Either there is no such model, or it needs HF_TOKEN: a token of an account that may read it."
              : "Either there is no such model, or the account of HF_TOKEN may not read it.");
    case 404:
      throw Error(ErrorKind::not_found, reason, "Check the model's id and HF_ENDPOINT.");
    default:
      throw Error(ErrorKind::unavailable, reason, "Try again later; what was fetched is kept.");
  }
}

flox::HttpResponse Hub::get(const flox::HttpRequest& request, const std::string& what) {
  if (settings_.offline)
    throw Error(ErrorKind::unavailable, what + ": HF_HUB_OFFLINE forbids to ask the Hub",
                "Unset HF_HUB_OFFLINE.");
  for (int attempt = 1;; ++attempt) {
    try {
      flox::HttpResponse response = client_.send(request);
      if (response.ok()) return response;
      if (attempt >= settings_.attempts || !may_pass(response.status)) refuse(response, what);
      pause(attempt, &response);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable || attempt >= settings_.attempts)
        throw error.with_advice(
            "Is the Hub reachable from here? HF_ENDPOINT names another, https_proxy a proxy.");
      pause(attempt, nullptr);
    }
  }
}

HubModel Hub::model(const std::string& id, const std::string& revision) {
  const std::string what = "asking for the files of " + id;
  flox::HttpRequest listing = request("api/models/" + flox::url_encode(id, true) + "/revision/" +
                                      flox::url_encode(revision) + "?blobs=true");
  listing.timeout = 60s;
  flox::HttpResponse response = get(listing, what);
  try {
    const auto answer = flox::parse_json(response.body, "the answer", listing_limits);
    HubModel model{.id = id, .commit = flox::string_member(answer, "sha", "the answer")};
    if (!is_hex(model.commit, 40)) fail(ErrorKind::invalid_input, "\"{}\" is not a commit", model.commit);
    const auto& files = flox::member(answer, "siblings", "the answer");
    if (!files.is_array()) fail(ErrorKind::invalid_input, "\"siblings\" is not a list");
    for (const auto& entry : files) model.files.push_back(file_of(entry));
    return model;
  } catch (const Error& error) {
    fail(ErrorKind::invalid_input, "{}: {} answers what is not understood: {}", what,
         flox::printable_url(listing.url), error.what());
  }
}

bool Hub::fetch(const HubModel& model, const HubFile& file, uint64_t offset,
                const std::function<void()>& restart, const flox::ByteSink& sink) {
  const std::string what = fmt::format("fetching {} of {}", file.name, model.id);
  const flox::HttpRequest plain = request(flox::url_encode(model.id, true) + "/resolve/" + model.commit +
                                          "/" + flox::url_encode(file.name, true));
  if (offset > 0) {
    // Whether the answer starts in the middle is only known when its first bytes are there; so one byte is
    // asked for first.
    flox::HttpRequest probe = plain;
    probe.headers.emplace_back("Range", fmt::format("bytes={}-{}", offset, offset));
    bool in_the_middle = false;
    try {
      in_the_middle = get(probe, what).status == 206;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::untrusted) throw;
    }
    if (!in_the_middle) {
      restart();
      offset = 0;
    }
  }
  flox::HttpRequest wanted = plain;
  wanted.max_body = flox::BodyLimit(file.size != 0 ? file.size : max_file);
  if (offset > 0) wanted.headers.emplace_back("Range", fmt::format("bytes={}-", offset));
  if (settings_.offline) get(wanted, what);
  for (int attempt = 1;; ++attempt) {
    uint64_t brought = 0;
    std::exception_ptr refused;
    try {
      flox::HttpResponse response = client_.stream(wanted, [&](std::string_view piece) {
        try {
          sink(piece);
        } catch (...) {
          refused = std::current_exception();
          throw;
        }
        brought += piece.size();
      });
      if (response.ok()) return true;
      if (attempt >= settings_.attempts || !may_pass(response.status)) refuse(response, what);
      pause(attempt, &response);
    } catch (const Error& error) {
      if (refused || error.kind() != ErrorKind::unavailable) throw;
      if (brought > 0) return false;
      if (attempt >= settings_.attempts) throw error.with_context(what);
      pause(attempt, nullptr);
    }
  }
}

}  // namespace ticket::model
