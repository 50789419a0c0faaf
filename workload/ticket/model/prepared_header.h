// The header of a prepared file: a model's weights as the kernels of one level of processor read them
// (docs/formats/prepared-model.md).
#pragma once  // Fuzzed by fuzz/prepared_header.cc.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ticket/model/packed_weights.h"
#include "ticket/model/precision.h"
#include "ticket/model/tensor.h"

namespace ticket::model {

inline constexpr uint32_t prepared_version = 1;
inline constexpr size_t prepared_alignment = 4096;  // of sections
inline constexpr size_t prepared_preamble = 64;     // bytes before the header's text
inline constexpr const char* prepared_file_name = "weights.prepared";

enum class SectionKind {
  tensor,  // as it stood in the checkpoint: tables, biases, gains
  panels,  // of a linear layer; its shape is [outputs, inputs], its dtype F32, F16 or I8
  scales,  // of the panels of the same name, where those are I8: one an output of whole panels
  sums
};

struct PreparedSection {
  std::string name;  // of the tensor; several that are one layer are joined by "+"
  SectionKind kind = SectionKind::tensor;
  DType dtype = DType::f32;
  std::vector<size_t> shape;
  size_t offset = 0;      // from the beginning of the file
  uint64_t checksum = 0;  // XXH3 of its bytes
};

struct PreparedSource {
  std::string file;  // "pytorch_model.bin"
  size_t bytes = 0;
  std::string sha256;  // of all of it, 64 hexadecimal digits
  std::string sample;  // checkpoint_sample()
};

struct PreparedHeader {
  std::string model;    // id on the Hub
  std::string version;  // what model_version says: "distilbart-cnn-6-6@a4f8f3ea"
  Precision precision = Precision::fp32;
  WeightLayout layout;
  PreparedSource source;
  std::map<std::string, std::string> files;  // that stand beside it: name to SHA-256
  size_t bytes = 0;                          // of the whole file
  std::vector<PreparedSection> sections;     // by offset

  // Bytes that a section takes; follows from kind, dtype and shape. Throws Error(invalid_input) where that
  // has no meaning.
  size_t bytes_of(const PreparedSection& section) const;
};

// The header of a file of `file_bytes`, of which `beginning` is the beginning: all of it may be given. Checks
// everything that does not need the sections' contents: magic, version, the header's own SHA-256, that
// sections have the bytes of their shapes, follow each other in order at aligned offsets and end within the
// file, that no name and kind occurs twice, and that scales and sums have their panels. Throws
// Error(invalid_input).
PreparedHeader read_prepared_header(std::string_view beginning, size_t file_bytes);

// The bytes before the first section, filled up to the alignment. Sections get their offsets here, `bytes`
// its value.
std::string write_prepared_header(PreparedHeader& header);

// What tells one header, and by its checksums one file, from another: 32 hexadecimal digits of the header's
// SHA-256.
std::string prepared_digest(std::string_view beginning);

uint64_t section_checksum(std::string_view bytes) noexcept;

}  // namespace ticket::model
