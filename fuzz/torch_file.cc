// Weights as torch.save writes them, in both formats: pickles of strangers.
#include "ticket/model/torch_file.h"

#include "fuzz.h"

namespace flox::fuzz {

void one(std::string_view input) {
  ticket::model::TensorMap tensors;
  if (!accepts([&] { tensors = ticket::model::read_torch_file(input); })) return;
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
