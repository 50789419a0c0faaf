// The weights of a model, in whichever of the three formats its directory has them.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ticket/model/mapped_file.h"
#include "ticket/model/packed_weights.h"
#include "ticket/model/prepared_file.h"
#include "ticket/model/prepared_writer.h"
#include "ticket/model/tensor.h"

namespace ticket::model {

// How weights are packed: for this processor, unless they are prepared for another one.
struct Packing {
  WeightLayout layout = WeightLayout::of(kernels());
  PreparedRecorder* recorder = nullptr;  // hears of all that is taken from the checkpoint; may be null
};

class Checkpoint {
 public:
  // Maps weights.prepared of the directory, else model.safetensors, else pytorch_model.bin. Throws
  // Error(not_found) if there is none of them, Error(invalid_input) naming the file if it is damaged. All of
  // a prepared file is compared with its checksums unless a store has verified it (is_verified_by_store).
  static Checkpoint open(const std::filesystem::path& directory, Packing packing = {});

  const std::filesystem::path& path() const noexcept { return path_; }
  bool has(std::string_view name) const;
  // The first of the names that there is, or the first of all.
  std::string first_of(std::initializer_list<std::string_view> names) const;

  // The tensor of this name, which must have this shape and floating-point elements. It lives as long as the
  // checkpoint. Throws Error(invalid_input).
  const Tensor& at(std::string_view name, std::initializer_list<size_t> shape) const;
  // The same, by the first of the names that there is.
  const Tensor& any_of(std::initializer_list<std::string_view> names,
                       std::initializer_list<size_t> shape) const;

  // All of a tensor, widened.
  std::vector<float> floats(std::string_view name, std::initializer_list<size_t> shape) const;

  // The weights of a layer of `outputs` for each of the names, one below the other: packed now, and their
  // pages released from the mapping, or as a prepared file has them. Throws Error(invalid_input) for what is
  // not there in this form, and as pack_weights does.
  PackedWeights packed(std::span<const std::string> names, size_t outputs, size_t inputs, Precision precision,
                       ThreadPool& pool) const;

 private:
  Checkpoint(std::filesystem::path path, MappedFile file, TensorMap tensors, Packing packing);
  Checkpoint(std::filesystem::path path, PreparedFile file, Packing packing);
  const Tensor& find(std::initializer_list<std::string_view> names,
                     std::initializer_list<size_t> shape) const;
  PackedWeights pack(std::span<const std::string> names, size_t outputs, size_t inputs, Precision precision,
                     ThreadPool& pool) const;
  PackedWeights map_packed(const std::string& name, size_t outputs, size_t inputs, Precision precision,
                           ThreadPool& pool) const;

  std::filesystem::path path_;
  std::optional<MappedFile> file_;
  std::optional<PreparedFile> prepared_;
  TensorMap tensors_;
  Packing packing_;
};

}  // namespace ticket::model
