#include "ticket/model/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "ticket/model/checkpoint_identity.h"
#include "ticket/model/safetensors.h"
#include "ticket/model/torch_file.h"

namespace ticket::model {

using flox::ErrorKind;

namespace {

bool is_floating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

}  // namespace

Checkpoint::Checkpoint(std::filesystem::path path, MappedFile file, TensorMap tensors, Packing packing)
    : path_(std::move(path)),
      file_(std::move(file)),
      tensors_(std::move(tensors)),
      packing_(std::move(packing)) {}

Checkpoint::Checkpoint(std::filesystem::path path, PreparedFile file, Packing packing)
    : path_(std::move(path)), prepared_(std::move(file)), packing_(std::move(packing)) {
  for (const PreparedSection& section : prepared_->header().sections)
    if (section.kind == SectionKind::tensor)
      tensors_[section.name] = {
          .dtype = section.dtype, .shape = section.shape, .bytes = prepared_->bytes(section)};
}

Checkpoint Checkpoint::open(const std::filesystem::path& directory, Packing packing) {
  std::error_code error;
  if (std::filesystem::path path = directory / prepared_file_name; std::filesystem::exists(path, error)) {
    PreparedFile file(path);
    file.will_need();
    check_neighbours(directory, file.header());
    if (!is_verified_by_store(path)) file.check_sections(ThreadPool::shared());
    return Checkpoint(std::move(path), std::move(file), std::move(packing));
  }
  std::filesystem::path path = checkpoint_file(directory);
  MappedFile file(path);
  TensorMap tensors = flox::in_context("reading checkpoint " + path.string(), [&] {
    return path.extension() == ".safetensors" ? read_safetensors(file.bytes())
                                              : read_torch_file(file.bytes());
  });
  return Checkpoint(std::move(path), std::move(file), std::move(tensors), std::move(packing));
}

bool Checkpoint::has(std::string_view name) const {
  return tensors_.contains(name) || (prepared_ && prepared_->find(name, SectionKind::panels));
}

std::string Checkpoint::first_of(std::initializer_list<std::string_view> names) const {
  for (std::string_view name : names)
    if (has(name)) return std::string(name);
  return std::string(*names.begin());
}

const Tensor& Checkpoint::at(std::string_view name, std::initializer_list<size_t> shape) const {
  return any_of({name}, shape);
}

const Tensor& Checkpoint::any_of(std::initializer_list<std::string_view> names,
                                 std::initializer_list<size_t> shape) const {
  const Tensor& tensor = find(names, shape);
  if (packing_.recorder)
    for (std::string_view name : names)
      if (tensors_.contains(name)) {
        packing_.recorder->note(std::string(name), tensor);
        break;
      }
  return tensor;
}

const Tensor& Checkpoint::find(std::initializer_list<std::string_view> names,
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

PackedWeights Checkpoint::packed(std::span<const std::string> names, size_t outputs, size_t inputs,
                                 Precision precision, ThreadPool& pool) const {
  const std::string name = fmt::format("{}", fmt::join(names, "+"));
  return flox::in_context(fmt::format("checkpoint {}: layer {}", path_.string(), name), [&] {
    PackedWeights weights = prepared_ ? map_packed(name, names.size() * outputs, inputs, precision, pool)
                                      : pack(names, outputs, inputs, precision, pool);
    if (packing_.recorder) packing_.recorder->note(name, weights);
    return weights;
  });
}

PackedWeights Checkpoint::pack(std::span<const std::string> names, size_t outputs, size_t inputs,
                               Precision precision, ThreadPool& pool) const {
  std::vector<const Tensor*> tensors;
  for (const std::string& name : names) tensors.push_back(&find({name}, {outputs, inputs}));
  PackedWeights weights =
      pack_weights(TensorRows(tensors), names.size() * outputs, inputs, precision, packing_.layout, pool);
  for (const Tensor* tensor : tensors) file_->release(tensor->bytes);
  return weights;
}

PackedWeights Checkpoint::map_packed(const std::string& name, size_t outputs, size_t inputs,
                                     Precision precision, ThreadPool& pool) const {
  const PreparedSection* panels = prepared_->find(name, SectionKind::panels);
  if (!panels) flox::fail(ErrorKind::invalid_input, "it is not in the prepared file");
  if (panels->shape != std::vector<size_t>{outputs, inputs})
    flox::fail(ErrorKind::invalid_input, "its shape is [{}], where config.json means [{}, {}]",
               fmt::join(panels->shape, ", "), outputs, inputs);
  const WeightLayout& layout = prepared_->header().layout;
  PackedWeights weights{.precision = precision,
                        .outputs = outputs,
                        .inputs = inputs,
                        .panel = layout.panel,
                        .panels = prepared_->bytes(*panels).data()};
  if (size_of(panels->dtype) != size_of(precision))
    flox::fail(ErrorKind::invalid_input, "it is prepared in {}, not {}", to_string(panels->dtype),
               to_string(precision));
  if (precision == Precision::int8_weights) {
    // They have as many elements as the panels have outputs: that was checked with the header.
    const std::string_view scales = prepared_->bytes(*prepared_->find(name, SectionKind::scales)),
                           sums = prepared_->bytes(*prepared_->find(name, SectionKind::sums));
    weights.scales.resize(scales.size() / sizeof(float));
    weights.sums.resize(sums.size() / sizeof(int32_t));
    std::ranges::copy(scales, reinterpret_cast<char*>(weights.scales.data()));
    std::ranges::copy(sums, reinterpret_cast<char*>(weights.sums.data()));
  }
  if (layout.serves(packing_.layout, precision)) return weights;
  PackedWeights own = pack_weights(PanelRows(weights), outputs, inputs, precision, packing_.layout, pool);
  prepared_->release(prepared_->bytes(*panels));
  return own;
}

}  // namespace ticket::model
