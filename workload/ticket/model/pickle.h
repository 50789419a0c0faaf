// Python's pickles, read as data. Nothing is executed: a name of a class or function is a value like a
// string, and the few constructors that PyTorch's checkpoints need (an OrderedDict, a tensor of a storage, a
// parameter of a tensor) are made into values of our own. Any other call is refused.
//
// The machine of a pickle needs no recursion, and each of its instructions makes at most one value: time and
// memory are bounded by the pickle's length. Source of the format: Python's Lib/pickletools.py.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ticket/model/tensor.h"

namespace ticket::model {

struct PickleValue {
  enum class Kind { none, boolean, integer, real, text, global, tuple, list, dict, storage, tensor };

  Kind kind = Kind::none;
  int64_t integer = 0;                    // also of a boolean; a tensor's first element within its storage
  double real = 0;                        //
  std::string text;                       // of a global "module.name"; of a storage its key
  std::vector<const PickleValue*> items;  // of a tuple or list; of a dict key, value, key, value, …
  DType dtype = DType::f32;               // of a storage
  size_t count = 0;                       // of a storage: how many elements
  const PickleValue* storage = nullptr;   // of a tensor
  std::vector<size_t> shape;              // of a tensor, which is row-major

  bool is(Kind other) const noexcept { return kind == other; }
};

// Owns the values of one pickle, which may point at each other in circles.
class Pickle {
 public:
  // Reads the pickle at the beginning of `bytes`, and removes it there. Throws Error(invalid_input), which
  // says at which byte, for what is broken, and for instructions or calls that checkpoints do not need.
  static Pickle read(std::string_view& bytes);

  const PickleValue& value() const noexcept { return *value_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  const PickleValue* value_ = nullptr;
};

}  // namespace ticket::model
