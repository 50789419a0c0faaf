// For tests: a small prepared file, the one of docs/formats/prepared-model.md.
#pragma once

#include <cstring>

#include "base/data/sha256.h"
#include "ticket/model/prepared_header.h"

namespace ticket::model {

inline PreparedHeader toy_header() {
  const std::string digits(64, 'a');
  return {.model = "org/toy",
          .version = "toy@01234567",
          .precision = Precision::int8_weights,
          .layout = {.level = "x86-64-v3", .panel = 16, .weight_limit = 63},
          .source = {.file = "model.safetensors", .bytes = 300, .sha256 = digits, .sample = digits},
          .files = {{"config.json", digits}},
          .sections = {{.name = "norm.weight", .kind = SectionKind::tensor, .shape = {4}, .checksum = 1},
                       {.name = "up.weight",
                        .kind = SectionKind::panels,
                        .dtype = DType::i8,
                        .shape = {3, 5},
                        .checksum = 2},
                       {.name = "up.weight", .kind = SectionKind::scales, .shape = {16}, .checksum = 3},
                       {.name = "up.weight",
                        .kind = SectionKind::sums,
                        .dtype = DType::i32,
                        .shape = {16},
                        .checksum = 4}}};
}

inline std::string toy_file() {
  PreparedHeader header = toy_header();
  std::string file = write_prepared_header(header);
  file.resize(header.bytes);
  return file;
}

// The header's text within a prepared file.
inline std::string prepared_text(std::string_view file) {
  uint32_t length = 0;
  std::memcpy(&length, file.data() + 12, sizeof length);
  return std::string(file.substr(prepared_preamble, length));
}

}  // namespace ticket::model
