// The weights of a model, in whichever of the two formats its directory has them.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include "ticket/model/mapped_file.h"
#include "ticket/model/tensor.h"

namespace ticket::model {

class Checkpoint {
 public:
  // Maps model.safetensors of the directory, else pytorch_model.bin. Throws Error(not_found) if there is
  // neither, Error(invalid_input) naming the file if it is damaged.
  static Checkpoint open(const std::filesystem::path& directory);

  const std::filesystem::path& path() const noexcept { return path_; }
  bool has(std::string_view name) const { return tensors_.contains(name); }

  // The tensor of this name, which must have this shape and floating-point elements. It lives as long as the
  // checkpoint. Throws Error(invalid_input).
  const Tensor& at(std::string_view name, std::initializer_list<size_t> shape) const;
  // The same, by the first of the names that there is.
  const Tensor& any_of(std::initializer_list<std::string_view> names,
                       std::initializer_list<size_t> shape) const;

  // All of a tensor, widened.
  std::vector<float> floats(std::string_view name, std::initializer_list<size_t> shape) const;

  // The tensor was used for the last time, for now.
  void release(const Tensor& tensor) const noexcept { file_.release(tensor.bytes); }

 private:
  Checkpoint(std::filesystem::path path, MappedFile file, TensorMap tensors);
  std::filesystem::path path_;
  MappedFile file_;
  TensorMap tensors_;
};

}  // namespace ticket::model
