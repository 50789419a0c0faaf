#include "ticket/model/safetensors.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/data/json.h"
#include "base/error.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;
using nlohmann::json;

// The format allows 100 MB; a header has some 100 bytes a tensor, and models of this kind some hundred
// tensors.
constexpr flox::JsonLimits header_limits{.bytes = 16 << 20, .depth = 8, .values = 1 << 18};

std::optional<DType> parse_dtype(const std::string& text) {
  if (text == "F32") return DType::f32;
  if (text == "F16") return DType::f16;
  if (text == "BF16") return DType::bf16;
  if (text == "F64") return DType::f64;
  if (text == "I64") return DType::i64;
  if (text == "I32") return DType::i32;
  if (text == "I16") return DType::i16;
  if (text == "I8") return DType::i8;
  if (text == "U8") return DType::u8;
  if (text == "BOOL") return DType::boolean;
  return std::nullopt;
}

std::vector<size_t> numbers(const json& object, const char* member) {
  auto found = object.find(member);
  if (found == object.end() || !found->is_array())
    flox::fail(ErrorKind::invalid_input, "it has no list {}", member);
  std::vector<size_t> values;
  for (const json& value : *found) {
    if (!value.is_number_unsigned())
      flox::fail(ErrorKind::invalid_input, "{} holds something other than natural numbers", member);
    values.push_back(value.get<size_t>());
  }
  return values;
}

std::optional<Tensor> read_tensor(const json& entry, std::string_view data) {
  if (!entry.is_object()) flox::fail(ErrorKind::invalid_input, "it is not described by an object");
  auto dtype_text = entry.find("dtype");
  if (dtype_text == entry.end() || !dtype_text->is_string())
    flox::fail(ErrorKind::invalid_input, "it has no dtype");
  std::optional<DType> dtype = parse_dtype(dtype_text->get<std::string>());
  if (!dtype) return std::nullopt;
  std::vector<size_t> offsets = numbers(entry, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size())
    flox::fail(ErrorKind::invalid_input, "its data_offsets are not within the file's {} bytes of data",
               data.size());
  Tensor tensor{.dtype = *dtype,
                .shape = numbers(entry, "shape"),
                .bytes = data.substr(offsets[0], offsets[1] - offsets[0])};
  if (checked_bytes(tensor.dtype, tensor.shape) != tensor.bytes.size())
    flox::fail(ErrorKind::invalid_input, "its {} bytes are not {} numbers of {}", tensor.bytes.size(),
               tensor.shape_text(), to_string(tensor.dtype));
  return tensor;
}

}  // namespace

TensorMap read_safetensors(std::string_view file) {
  uint64_t length = 0;
  if (file.size() < sizeof length)
    flox::fail(ErrorKind::invalid_input, "not a safetensors file: only {} bytes long", file.size());
  std::memcpy(&length, file.data(), sizeof length);
  std::string_view rest = file.substr(sizeof length);
  if (length > header_limits.bytes || length > rest.size())
    flox::fail(ErrorKind::invalid_input, "not a whole safetensors file: a header of {} bytes in a file of {}",
               length, file.size());
  const json header = flox::parse_json(rest.substr(0, length), "safetensors header", header_limits);
  if (!header.is_object())
    flox::fail(ErrorKind::invalid_input, "not a safetensors file: its header is not a JSON object");
  std::string_view data = rest.substr(length);
  TensorMap tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    std::optional<Tensor> tensor =
        flox::in_context("tensor " + name, [&, &entry = entry] { return read_tensor(entry, data); });
    if (tensor) tensors.emplace(name, *std::move(tensor));
  }
  return tensors;
}

}  // namespace ticket::model
