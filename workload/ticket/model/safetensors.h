// The safetensors file format.
//
//   file   = length (8 bytes, little-endian), header (length bytes of JSON), data
//   header = { NAME: { "dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end] }, "__metadata__": {…} }
//
// Offsets count from the beginning of the data. Tensors are row-major and little-endian.
#pragma once  // Fuzzed by fuzz/safetensors.cc.

#include <string_view>

#include "ticket/model/tensor.h"

namespace ticket::model {

// The tensors of a file, which point into `file`. Types of elements that Tensor does not know are left out.
// Throws Error(invalid_input) for anything that does not follow the format.
TensorMap read_safetensors(std::string_view file);

}  // namespace ticket::model
