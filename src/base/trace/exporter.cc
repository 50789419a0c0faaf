#include "base/trace/exporter.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/http_client.h"
#include "base/net/retry_after.h"
#include "base/net/url.h"

namespace flox::trace {
namespace {

using nlohmann::json;

constexpr size_t largest_batch = 512;  // spans
constexpr size_t hurry_at = 256;       // spans that wait
constexpr auto patience = std::chrono::seconds(5);
constexpr auto complain_every = std::chrono::minutes(1);
constexpr BodyLimit largest_answer(64 << 10);

// 64-bit numbers are texts in OTLP's JSON.
std::string nanoseconds(SpanRecord::Clock::time_point time) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

json attribute(const std::string& key, json value) { return {{"key", key}, {"value", std::move(value)}}; }
json text_of(const std::string& text) { return {{"stringValue", text}}; }

json to_json(const SpanRecord& span) {
  json attributes = json::array();
  for (const auto& [key, text] : span.texts) attributes.push_back(attribute(key, text_of(text)));
  for (const auto& [key, number] : span.numbers)
    attributes.push_back(attribute(key, {{"intValue", std::to_string(number)}}));
  json result = {{"traceId", hex(span.trace)},
                 {"spanId", hex(span.id)},
                 {"name", span.name},
                 {"kind", static_cast<int>(span.kind)},
                 {"startTimeUnixNano", nanoseconds(span.begin)},
                 {"endTimeUnixNano", nanoseconds(span.end)},
                 {"attributes", std::move(attributes)}};
  if (span.parent != SpanId{}) result["parentSpanId"] = hex(span.parent);
  if (span.has_failed) result["status"] = {{"code", 2}};  // STATUS_CODE_ERROR
  return result;
}

ExportOptions checked(ExportOptions options) {
  while (options.url.ends_with('/')) options.url.pop_back();
  in_context("the collector of traces", [&] { HttpUrl::parse(options.url); });
  return options;
}

}  // namespace

std::string otlp_json(const std::vector<SpanRecord>& spans, const std::string& service,
                      const std::string& version) {
  json list = json::array();
  for (const auto& span : spans) list.push_back(to_json(span));
  const json scope = {{"scope", {{"name", "flox-imageless"}, {"version", version}}},
                      {"spans", std::move(list)}};
  const json resource = {
      {"attributes",
       {attribute("service.name", text_of(service)), attribute("service.version", text_of(version))}}};
  const json request = {{"resourceSpans", {{{"resource", resource}, {"scopeSpans", json::array({scope})}}}}};
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

Exporter::Exporter(ExportOptions options)
    : options_(checked(std::move(options))), thread_([this] { run(); }) {}

Exporter::~Exporter() {
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Exporter::add(SpanRecord record) noexcept {
  bool is_news = false;
  try {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= options_.most_waiting) {
      ++counters_.dropped;
      return;
    }
    waiting_.push_back(std::move(record));
    is_news = waiting_.size() == 1 || waiting_.size() == hurry_at;
  } catch (const std::exception&) {  // no memory: the request matters, its span does not
    ++counters_.dropped;
  }
  if (is_news) changed_.notify_all();
}

bool Exporter::samples() noexcept { return options_.percent >= 100 || began_++ % 100 < options_.percent; }

void Exporter::run() {
  std::chrono::steady_clock::time_point complained{};
  for (bool is_last = false; !is_last;) {
    std::vector<SpanRecord> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return is_over_ || !waiting_.empty(); });
      changed_.wait_for(lock, options_.pause, [&] { return is_over_ || waiting_.size() >= hurry_at; });
      const size_t count = std::min(waiting_.size(), largest_batch);
      batch.assign(std::make_move_iterator(waiting_.begin()),
                   std::make_move_iterator(waiting_.begin() + static_cast<ptrdiff_t>(count)));
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
      is_last = is_over_ && waiting_.empty();
    }
    if (batch.empty()) continue;
    std::string why;
    try {
      if (send(batch)) continue;
      why = "it does not take them";
    } catch (const std::exception& error) {
      why = message_of(error);
    }
    counters_.dropped += batch.size();
    if (const auto now = std::chrono::steady_clock::now();
        complained == std::chrono::steady_clock::time_point() || now - complained > complain_every) {
      complained = now;
      log::warning("sending traces to {}: {}; they are lost", printable_url(options_.url), why);
    }
    std::unique_lock lock(mutex_);
    if (is_over_) break;  // it would be so with the rest
    changed_.wait_for(lock, options_.pause, [&] { return is_over_; });
  }
  const std::scoped_lock lock(mutex_);
  counters_.dropped += waiting_.size();
}

bool Exporter::send(const std::vector<SpanRecord>& batch) {
  static thread_local HttpClient http;
  const HttpResponse response = send_patiently(http,
                                               {.method = "POST",
                                                .url = options_.url + "/v1/traces",
                                                .headers = {{"Content-Type", "application/json"}},
                                                .body = otlp_json(batch, options_.service, options_.version),
                                                .timeout = patience,
                                                .connect_timeout = patience,
                                                .max_body = largest_answer},
                                               patience);
  if (!response.ok()) return false;
  counters_.exported += batch.size();
  return true;
}

}  // namespace flox::trace
