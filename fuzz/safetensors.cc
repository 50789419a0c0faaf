// Weights as safetensors files, from wherever the model came.
#include "ticket/model/safetensors.h"

#include "tensors.h"

namespace flox::fuzz::of_safetensors {

void one(std::string_view input) {
  ticket::model::TensorMap tensors;
  if (!accepts([&] { tensors = ticket::model::read_safetensors(input); })) return;
  require_tensors_within(tensors, input);
}

}  // namespace flox::fuzz::of_safetensors
