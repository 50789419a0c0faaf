// Files of torch.save: a state dict, that is a dictionary of names and tensors.
//
// Since PyTorch 1.6, a zip archive whose members are stored without compression:
//   NAME/data.pkl           the pickle; a tensor's storage is named by a key
//   NAME/data/KEY           the bytes of that storage
//   NAME/byteorder          "little" (later versions)
//
// Before, and still with _use_new_zipfile_serialization=False, one after the other:
//   pickle of 0x1950a86a20f9469cfc6c, pickle of 1001, pickle of system information,
//   pickle of the object, pickle of the list of storage keys,
//   and for each key of the list: count of elements (8 bytes, little-endian), the elements
#pragma once  // Fuzzed by fuzz/torch_file.cc.

#include <string_view>

#include "ticket/model/tensor.h"

namespace ticket::model {

// The tensors of a file, which point into `file`. Values of the dictionary that are no tensors are left out.
// Throws Error(invalid_input) for anything that follows neither format, and for pickles that do more.
TensorMap read_torch_file(std::string_view file);

}  // namespace ticket::model
