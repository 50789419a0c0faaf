#include "ticket/model/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "ticket/model/safetensors.h"
#include "ticket/model/torch_file.h"

namespace ticket::model {

using flox::ErrorKind;

namespace {

bool is_floating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

}  // namespace

Checkpoint::Checkpoint(std::filesystem::path path, MappedFile file, TensorMap tensors)
    : path_(std::move(path)), file_(std::move(file)), tensors_(std::move(tensors)) {}

Checkpoint Checkpoint::open(const std::filesystem::path& directory) {
  struct Format {
    const char* name;
    TensorMap (*read)(std::string_view);
  };
  for (const Format& format :
       {Format{"model.safetensors", read_safetensors}, Format{"pytorch_model.bin", read_torch_file}}) {
    std::filesystem::path path = directory / format.name;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    MappedFile file(path);
    TensorMap tensors =
        flox::in_context("reading checkpoint " + path.string(), [&] { return format.read(file.bytes()); });
    return Checkpoint(std::move(path), std::move(file), std::move(tensors));
  }
  throw flox::Error(ErrorKind::not_found,
                    fmt::format("{} has neither model.safetensors nor pytorch_model.bin", directory.string()),
                    "Run 'ticket-processor preload-models' to fetch what is missing.");
}

const Tensor& Checkpoint::at(std::string_view name, std::initializer_list<size_t> shape) const {
  return any_of({name}, shape);
}

const Tensor& Checkpoint::any_of(std::initializer_list<std::string_view> names,
                                 std::initializer_list<size_t> shape) const {
  for (std::string_view name : names) {
    auto found = tensors_.find(name);
    if (found == tensors_.end()) continue;
    const Tensor& tensor = found->second;
    if (!std::ranges::equal(tensor.shape, shape))
      flox::fail(ErrorKind::invalid_input,
                 "checkpoint {}: tensor {} has shape {}, where config.json means [{}]", path_.string(), name,
                 tensor.shape_text(), fmt::join(shape, ", "));
    if (!is_floating(tensor.dtype))
      flox::fail(ErrorKind::invalid_input, "checkpoint {}: tensor {} holds {}, not weights", path_.string(),
                 name, to_string(tensor.dtype));
    return tensor;
  }
  flox::fail(ErrorKind::invalid_input, "checkpoint {} has no tensor {}", path_.string(), *names.begin());
}

std::vector<float> Checkpoint::floats(std::string_view name, std::initializer_list<size_t> shape) const {
  const Tensor& tensor = at(name, shape);
  std::vector<float> values(tensor.elements());
  copy_floats(tensor, 0, values.size(), values.data());
  return values;
}

}  // namespace ticket::model
