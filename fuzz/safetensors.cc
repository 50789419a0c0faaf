// Weights as safetensors files, from wherever the model came.
#include "ticket/model/safetensors.h"

#include "fuzz.h"

namespace flox::fuzz {

void one(std::string_view input) {
  ticket::model::TensorMap tensors;
  if (!accepts([&] { tensors = ticket::model::read_safetensors(input); })) return;
  for (const auto& [name, tensor] : tensors) {
    require(checked_bytes(tensor.dtype, tensor.shape) == tensor.bytes.size(),
            "a tensor has the bytes of its shape");
    if (tensor.bytes.empty()) continue;
    require(tensor.bytes.data() >= input.data() &&
                tensor.bytes.data() + tensor.bytes.size() <= input.data() + input.size(),
            "a tensor lies within the file");
    element(tensor, tensor.elements() - 1);
  }
}

}  // namespace flox::fuzz
