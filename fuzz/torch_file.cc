// Weights as torch.save writes them, in both formats: pickles of strangers.
#include "ticket/model/torch_file.h"

#include "tensors.h"

namespace flox::fuzz::of_torch_file {

void one(std::string_view input) {
  ticket::model::TensorMap tensors;
  if (!accepts([&] { tensors = ticket::model::read_torch_file(input); })) return;
  require_tensors_within(tensors, input);
}

}  // namespace flox::fuzz::of_torch_file
