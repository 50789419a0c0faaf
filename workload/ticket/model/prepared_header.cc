#include "ticket/model/prepared_header.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view magic = "FLOXTWP\n";
constexpr const char* what = "prepared header";
// A section has some 150 bytes of header, and models of this kind have some hundred.
constexpr flox::JsonLimits prepared_limits{.bytes = 4 << 20, .depth = 5, .values = 1 << 17};
constexpr size_t max_text = 4096;
constexpr size_t max_panel = 256;

constexpr std::pair<SectionKind, const char*> kinds[] = {{SectionKind::tensor, "tensor"},
                                                         {SectionKind::panels, "panels"},
                                                         {SectionKind::scales, "scales"},
                                                         {SectionKind::sums, "sums"}};
constexpr DType dtypes[] = {DType::f32, DType::f16, DType::bf16, DType::f64, DType::i32, DType::i8};

const char* to_string(SectionKind kind) {
  return std::ranges::find(kinds, kind, &std::pair<SectionKind, const char*>::first)->second;
}

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  flox::fail(ErrorKind::invalid_input, "{}", fmt::format(format, std::forward<Args>(args)...));
}

uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i)
    value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

size_t aligned(size_t offset) {
  return (offset + prepared_alignment - 1) / prepared_alignment * prepared_alignment;
}

std::string text(const json& object, const char* key) {
  std::string value = flox::string_member(object, key, what);
  if (value.empty() || value.size() > max_text)
    refuse("{} has {} bytes, not 1 to {}", key, value.size(), max_text);
  return value;
}

size_t number(const json& object, const char* key) {
  const json& value = flox::member(object, key, what);
  if (!value.is_number_unsigned()) refuse("{} is not a natural number", key);
  return value.get<size_t>();
}

std::string hexadecimal(const json& object, const char* key, size_t digits) {
  std::string value = text(object, key);
  if (value.size() != digits || value.find_first_not_of("0123456789abcdef") != std::string::npos)
    refuse("{} is not {} hexadecimal digits", key, digits);
  return value;
}

uint64_t checksum_of(const json& object) {
  const std::string digits = hexadecimal(object, "checksum", 16);
  uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

void only_known(const json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) refuse("it is not an object");
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end()) refuse("it has an unknown member \"{}\"", key);
}

PreparedSection read_section(const json& object) {
  only_known(object, {"name", "kind", "dtype", "shape", "offset", "checksum"});
  PreparedSection section{
      .name = text(object, "name"), .offset = number(object, "offset"), .checksum = checksum_of(object)};
  return flox::in_context("section " + section.name, [&] {
    const std::string kind = text(object, "kind"), dtype = text(object, "dtype");
    const auto found_kind = std::ranges::find_if(kinds, [&](auto& known) { return kind == known.second; });
    if (found_kind == std::end(kinds)) refuse("its kind \"{}\" is not known", kind);
    const auto found_dtype =
        std::ranges::find_if(dtypes, [&](DType known) { return dtype == to_string(known); });
    if (found_dtype == std::end(dtypes)) refuse("its dtype \"{}\" is not known", dtype);
    section.kind = found_kind->first;
    section.dtype = *found_dtype;
    const json& shape = flox::member(object, "shape", what);
    if (!shape.is_array() || shape.empty() || shape.size() > 4)
      refuse("its shape is not a list of 1 to 4 numbers");
    for (const json& dimension : shape) {
      if (!dimension.is_number_unsigned()) refuse("its shape holds something other than natural numbers");
      section.shape.push_back(dimension.get<size_t>());
    }
    return section;
  });
}

// Scales and sums belong to panels of bytes, which have both.
void check_companions(const PreparedHeader& header) {
  std::set<std::pair<std::string_view, SectionKind>> seen;
  for (const PreparedSection& section : header.sections)
    if (!seen.emplace(section.name, section.kind).second)
      refuse("section {} of kind {} occurs twice", section.name, to_string(section.kind));
  std::map<std::string_view, size_t> outputs;  // of panels of bytes, in whole panels
  for (const PreparedSection& section : header.sections)
    if (section.kind == SectionKind::panels && section.dtype == DType::i8)
      outputs[section.name] =
          (section.shape[0] + header.layout.panel - 1) / header.layout.panel * header.layout.panel;
  for (const PreparedSection& section : header.sections) {
    if (section.kind != SectionKind::scales && section.kind != SectionKind::sums) continue;
    auto found = outputs.find(section.name);
    if (found == outputs.end() || section.shape != std::vector<size_t>{found->second})
      refuse("section {} of kind {} does not belong to its panels", section.name, to_string(section.kind));
  }
  for (const auto& [name, count] : outputs)
    if (!seen.contains({name, SectionKind::scales}) || !seen.contains({name, SectionKind::sums}))
      refuse("the panels {} have no scales or no sums", name);
}

void check_places(const PreparedHeader& header, size_t header_end, size_t file_bytes) {
  if (header.bytes != file_bytes)
    refuse("the file has {} bytes, and its header says {}", file_bytes, header.bytes);
  size_t end = header_end;
  for (const PreparedSection& section : header.sections) {
    if (section.offset != aligned(end)) refuse("section {} does not follow the one before it", section.name);
    if (__builtin_add_overflow(section.offset, header.bytes_of(section), &end) || end > file_bytes)
      refuse("section {} does not end within the file", section.name);
  }
  if (end != file_bytes) refuse("the file goes on behind its last section");
}

ordered_json to_json(const PreparedHeader& header) {
  ordered_json sections = ordered_json::array();
  for (const PreparedSection& section : header.sections)
    sections.push_back({{"name", section.name},
                        {"kind", to_string(section.kind)},
                        {"dtype", to_string(section.dtype)},
                        {"shape", section.shape},
                        {"offset", section.offset},
                        {"checksum", fmt::format("{:016x}", section.checksum)}});
  return {{"model", header.model},
          {"version", header.version},
          {"precision", to_string(header.precision)},
          {"level", header.layout.level},
          {"panel", header.layout.panel},
          {"weight_limit", header.layout.weight_limit},
          {"source",
           {{"file", header.source.file},
            {"bytes", header.source.bytes},
            {"sha256", header.source.sha256},
            {"sample", header.source.sample}}},
          {"files", header.files},
          {"bytes", header.bytes},
          {"sections", std::move(sections)}};
}

// Gives sections their places behind a header that ends there; whether any moved.
bool place_sections(PreparedHeader& header, size_t header_end) {
  bool moved = false;
  size_t end = header_end;
  for (PreparedSection& section : header.sections) {
    moved |= section.offset != aligned(end);
    section.offset = aligned(end);
    end = section.offset + header.bytes_of(section);
  }
  moved |= header.bytes != end;
  header.bytes = end;
  return moved;
}

}  // namespace

size_t PreparedHeader::bytes_of(const PreparedSection& section) const {
  if (section.kind == SectionKind::tensor) return checked_bytes(section.dtype, section.shape);
  const DType wanted = section.kind == SectionKind::scales ? DType::f32
                       : section.kind == SectionKind::sums ? DType::i32
                                                           : section.dtype;
  if (section.dtype != wanted || section.shape.size() != (section.kind == SectionKind::panels ? 2u : 1u))
    refuse("section {} of kind {} has another form", section.name, to_string(section.kind));
  if (section.kind != SectionKind::panels) return checked_bytes(section.dtype, section.shape);
  if (section.dtype != DType::f32 && section.dtype != DType::f16 && section.dtype != DType::i8)
    refuse("section {} has panels of {}", section.name, to_string(section.dtype));
  constexpr size_t most = size_t{1} << 31;  // of either, so that rounding up cannot overflow
  if (section.shape[0] == 0 || section.shape[1] == 0 || section.shape[0] > most || section.shape[1] > most)
    refuse("section {} has panels of shape [{}, {}]", section.name, section.shape[0], section.shape[1]);
  const size_t outputs = (section.shape[0] + layout.panel - 1) / layout.panel * layout.panel;
  const size_t inputs = section.dtype == DType::i8 ? (section.shape[1] + 3) / 4 * 4 : section.shape[1];
  return checked_bytes(section.dtype, {outputs, inputs});
}

PreparedHeader read_prepared_header(std::string_view beginning, size_t file_bytes) {
  if (beginning.size() < prepared_preamble || !beginning.starts_with(magic))
    refuse("it is not a prepared model");
  const uint32_t version = little_endian(beginning.substr(8)), length = little_endian(beginning.substr(12));
  if (version != prepared_version)
    refuse("it has version {} of the format, where this program reads version {}", version, prepared_version);
  if (length > prepared_limits.bytes || length > beginning.size() - prepared_preamble)
    refuse("its header of {} bytes is not whole", length);
  const std::string_view text_of_header = beginning.substr(prepared_preamble, length);
  if (flox::bytes_of(flox::sha256(text_of_header)) != beginning.substr(16, 32))
    refuse("its header is damaged: the checksum is wrong");
  if (beginning.substr(48, 16).find_first_not_of('\0') != std::string_view::npos)
    refuse("its preamble is damaged");
  const json object = flox::parse_json(text_of_header, what, prepared_limits);
  only_known(object, {"model", "version", "precision", "level", "panel", "weight_limit", "source", "files",
                      "bytes", "sections"});
  PreparedHeader header{.model = text(object, "model"),
                        .version = text(object, "version"),
                        .precision = parse_precision(text(object, "precision")),
                        .layout = {.level = text(object, "level"),
                                   .panel = number(object, "panel"),
                                   .weight_limit = number(object, "weight_limit")},
                        .bytes = number(object, "bytes")};
  if (header.layout.panel == 0 || header.layout.panel > max_panel)
    refuse("panels of {} outputs, not 1 to {}", header.layout.panel, max_panel);
  const json& source = flox::member(object, "source", what);
  only_known(source, {"file", "bytes", "sha256", "sample"});
  header.source = {.file = text(source, "file"),
                   .bytes = number(source, "bytes"),
                   .sha256 = hexadecimal(source, "sha256", 64),
                   .sample = hexadecimal(source, "sample", 64)};
  const json& files = flox::member(object, "files", what);
  if (!files.is_object()) refuse("files is not an object");
  for (const auto& [name, value] : files.items()) {
    if (name.empty() || name.size() > 255 || name[0] == '.' || name.find('/') != std::string::npos)
      refuse("files names \"{}\", which is not the name of a file", name);
    header.files[name] = hexadecimal(files, name.c_str(), 64);
  }
  const json& sections = flox::member(object, "sections", what);
  if (!sections.is_array()) refuse("sections is not a list");
  for (const json& section : sections) header.sections.push_back(read_section(section));
  check_places(header, prepared_preamble + length, file_bytes);
  check_companions(header);
  return header;
}

std::string write_prepared_header(PreparedHeader& header) {
  // Offsets are numbers of the header's own text: a longer one may move them, which makes it longer yet.
  for (PreparedSection& section : header.sections) section.offset = 0;
  header.bytes = 0;
  std::string text_of_header = to_json(header).dump();
  while (place_sections(header, prepared_preamble + text_of_header.size()))
    text_of_header = to_json(header).dump();
  std::string bytes(magic);
  for (const size_t value : {size_t{prepared_version}, text_of_header.size()})
    for (size_t i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  bytes += flox::bytes_of(flox::sha256(text_of_header));
  bytes.resize(prepared_preamble);
  bytes += text_of_header;
  bytes.resize(header.sections.empty() ? bytes.size() : aligned(bytes.size()));
  return bytes;
}

std::string prepared_digest(std::string_view beginning) { return flox::to_hex(beginning.substr(16, 16)); }

uint64_t section_checksum(std::string_view bytes) noexcept { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace ticket::model
