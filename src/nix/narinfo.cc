#include "nix/narinfo.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "nix/cache_layout.h"

namespace flox::nix {
namespace {

uint64_t parse_size(std::string_view text) {
  uint64_t size = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    fail(ErrorKind::invalid_input, "'{}' is not a size in bytes", text);
  return size;
}

std::vector<std::string> parse_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    if (const std::string_view word = text.substr(0, space); !word.empty()) words.emplace_back(word);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return words;
}

StorePathSet parse_references(std::string_view text) {
  StorePathSet references;
  for (const std::string& word : parse_words(text)) references.insert(StorePath::from_base_name(word));
  return references;
}

// What follows the key in the first line that has it.
std::string_view value_in(std::string_view text, std::string_view key) noexcept {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) return line.substr(key.size());
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return {};
}

// What the lines give before it is known to be complete.
struct Fields {
  std::optional<StorePath> path;
  std::optional<Sha256Digest> nar_hash;
  uint64_t nar_size = 0;
  StorePathSet references;
  std::optional<StorePath> deriver;
  std::vector<std::string> signatures;
  std::optional<ContentAddress> content_address;
  std::string url;
  std::string compression;
  std::optional<Sha256Digest> file_hash;
  std::optional<uint64_t> file_size;
  std::optional<Sha256Digest> index_hash;
  std::vector<std::string> index_signatures;

  void set(std::string_view key, std::string_view value) {
    if (key == "StorePath")
      path = StorePath::parse(value);
    else if (key == "URL")
      url = value;
    else if (key == "Compression")
      compression = value;
    else if (key == "FileHash")
      file_hash = parse_hash(value);
    else if (key == "FileSize")
      file_size = parse_size(value);
    else if (key == "NarHash")
      nar_hash = parse_hash(value);
    else if (key == "NarSize")
      nar_size = parse_size(value);
    else if (key == "References")
      references = parse_references(value);
    else if (key == "Deriver" && value != "unknown-deriver" && !value.empty())
      deriver = StorePath::from_base_name(value);
    else if (key == "Sig" && !value.empty())
      signatures.emplace_back(value);
    else if (key == "CA" && !value.empty())
      content_address = ContentAddress::parse(value);
    else if (key == "FloxIndex")
      index_hash = parse_hash(value);
    else if (key == "FloxIndexSig")
      index_signatures = parse_words(value);
  }
};

}  // namespace

NarInfo NarInfo::parse(std::string_view text) {
  Fields fields;
  std::set<std::string, std::less<>> seen;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos)
      fail(ErrorKind::invalid_input, "narinfo: it is cut off: the last line '{}' has no end", text);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      fail(ErrorKind::invalid_input, "narinfo: the line '{}' has no colon", line);
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = line.size() > colon + 2 ? line.substr(colon + 2) : std::string_view();
    if (value.find('\0') != std::string_view::npos || value.find('\r') != std::string_view::npos)
      fail(ErrorKind::invalid_input, "narinfo: {}: the value contains a control character", key);
    if (key != "Sig" && !seen.emplace(key).second)
      fail(ErrorKind::invalid_input, "narinfo: {}: given twice", key);
    in_context(fmt::format("narinfo: {}", key), [&] { fields.set(key, value); });
  }

  if (!fields.path) fail(ErrorKind::invalid_input, "narinfo: StorePath is missing");
  if (fields.url.empty()) fail(ErrorKind::invalid_input, "narinfo: URL is missing");
  if (!fields.nar_hash) fail(ErrorKind::invalid_input, "narinfo: NarHash is missing");
  if (!fields.index_hash && !fields.index_signatures.empty())
    fail(ErrorKind::invalid_input, "narinfo: FloxIndexSig: there is no FloxIndex that it could sign");
  if (fields.nar_size == 0) fail(ErrorKind::invalid_input, "narinfo: NarSize is missing or 0");
  if (fields.compression.empty()) fields.compression = "bzip2";  // the format's default from its first days
  return NarInfo{.info = {.path = std::move(*fields.path),
                          .nar_hash = *fields.nar_hash,
                          .nar_size = fields.nar_size,
                          .references = std::move(fields.references),
                          .deriver = std::move(fields.deriver),
                          .signatures = std::move(fields.signatures),
                          .content_address = std::move(fields.content_address)},
                 .url = std::move(fields.url),
                 .compression = std::move(fields.compression),
                 .file_hash = fields.file_hash,
                 .file_size = fields.file_size,
                 .index_hash = fields.index_hash,
                 .index_signatures = std::move(fields.index_signatures)};
}

NarInfo NarInfo::parse(std::string_view text, const StorePath& path) {
  NarInfo narinfo = parse(text);
  if (narinfo.info.path != path)
    fail(ErrorKind::invalid_input, "narinfo: StorePath: it describes {} instead of {}",
         narinfo.info.path.to_string(), path.to_string());
  return narinfo;
}

std::string_view NarInfo::url_in(std::string_view text) noexcept { return value_in(text, "URL: "); }

std::string NarInfo::index_in(std::string_view text) noexcept {
  try {
    const std::string_view value = value_in(text, "FloxIndex: ");
    return value.empty() ? std::string() : index_file_name(parse_hash(value));
  } catch (const Error&) {  // not the name of a file of a cache
    return {};
  }
}

std::string NarInfo::index_fingerprint() const {
  return fmt::format("flox-nar-index-1;{};{};{};{}", info.path.to_string(), hash_text(info.nar_hash),
                     info.nar_size, hash_text(index_hash.value()));
}

std::string NarInfo::to_string() const {
  std::string text =
      fmt::format("StorePath: {}\nURL: {}\nCompression: {}\n", info.path.to_string(), url, compression);
  if (file_hash) text += fmt::format("FileHash: {}\n", hash_text(*file_hash));
  if (file_size) text += fmt::format("FileSize: {}\n", *file_size);
  text += fmt::format("NarHash: {}\nNarSize: {}\nReferences:", hash_text(info.nar_hash), info.nar_size);
  for (const StorePath& reference : info.references) text.append(" ").append(reference.base_name());
  text += info.references.empty() ? " \n" : "\n";
  if (info.deriver) text += fmt::format("Deriver: {}\n", info.deriver->base_name());
  for (const std::string& signature : info.signatures) text += fmt::format("Sig: {}\n", signature);
  if (info.content_address) text += fmt::format("CA: {}\n", info.content_address->to_string());
  if (index_hash) text += fmt::format("FloxIndex: {}\n", hash_text(*index_hash));
  if (!index_signatures.empty()) text += fmt::format("FloxIndexSig: {}\n", fmt::join(index_signatures, " "));
  return text;
}

}  // namespace flox::nix
