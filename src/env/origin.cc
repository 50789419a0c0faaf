#include "env/origin.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::env {
namespace {

using nlohmann::json;

constexpr size_t max_url = 2048;  // bytes
constexpr size_t max_name_of_origin = 64;

// It stands in messages.
std::string text_of_origin(const json& object, const char* key, size_t most, std::string_view name) {
  std::string text = string_member(object, key, name);
  if (text.empty() || text.size() > most || printable(text, most) != text)
    fail(ErrorKind::invalid_input, "{}: '{}' is not a text of at most {} bytes", name, key, most);
  return text;
}

int64_t generation_in(const json& number, const char* key, std::string_view name) {
  if (!number.is_number_integer() || number.get<double>() < 1 || number.get<double>() > 1e15)
    fail(ErrorKind::invalid_input, "{}: '{}' has no generation", name, key);
  return number.get<int64_t>();
}

GenerationMark mark_of(const json& object, const char* key, std::string_view name) {
  const json& mark = member(object, key, name);
  if (!mark.is_object()) fail(ErrorKind::invalid_input, "{}: '{}' is not an object", name, key);
  GenerationMark result{.number = generation_in(member(mark, "generation", name), key, name),
                        .digest = string_member(mark, "digest", name)};
  const bool is_hex = std::ranges::all_of(
      result.digest, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (result.digest.size() != 64 || !is_hex)
    fail(ErrorKind::invalid_input, "{}: the digest of '{}' is not a SHA-256", name, key);
  return result;
}

json json_of(const GenerationMark& mark) { return {{"generation", mark.number}, {"digest", mark.digest}}; }

}  // namespace

Origin Origin::parse(std::string_view text, std::string_view name) {
  const json document = parse_json(text, name, {.bytes = max_bytes, .depth = 8, .values = 200});
  if (!document.is_object()) fail(ErrorKind::invalid_input, "{}: it is not a JSON object", name);
  const json& version = member(document, "version", name);
  if (!version.is_number_integer() || version != 1)
    fail(ErrorKind::invalid_input, "{}: only version 1 is known", name);
  return {
      .catalog = text_of_origin(document, "catalog", max_url, name),
      .owner = text_of_origin(document, "owner", max_name_of_origin, name),
      .name = text_of_origin(document, "name", max_name_of_origin, name),
      .here = mark_of(document, "here", name),
      .latest = mark_of(document, "latest", name),
      .previous = document.contains("previous") ? generation_in(document["previous"], "previous", name) : 0};
}

std::string Origin::to_string() const {
  json document = {{"version", 1}, {"catalog", catalog},    {"owner", owner},
                   {"name", name}, {"here", json_of(here)}, {"latest", json_of(latest)}};
  if (previous > 0) document["previous"] = previous;
  return document.dump(2) + "\n";
}

std::string content_digest(const std::string& manifest, const Lockfile& lock) {
  std::string content = manifest;
  content += '\0';
  content += lock.to_compact_string();
  return to_hex(bytes_of(sha256(content)));
}

std::string content_digest(const EnvironmentFiles& files) {
  if (!files.lock) return {};
  try {
    return content_digest(files.manifest, Lockfile::parse(*files.lock));
  } catch (const Error&) {  // it is no generation's, then
    return {};
  }
}

}  // namespace flox::env
