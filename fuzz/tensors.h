// What both readers of checkpoints promise of the tensors that they find.
#pragma once

#include "fuzz.h"
#include "ticket/model/tensor.h"

namespace flox::fuzz {

inline void require_tensors_within(const ticket::model::TensorMap& tensors, std::string_view input) {
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
