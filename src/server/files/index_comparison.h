// Compares an index with the NAR file that it is said to be of.
#pragma once

#include <memory>
#include <string_view>

#include "store/index/nar_index.h"

namespace flox::server {

// The file as a stream, in some 20 MiB of memory whatever the file is. One thread at a time.
class IndexComparison {
 public:
  // The index, as NarIndex::parse() gives it, must outlive it.
  explicit IndexComparison(const store::NarIndex& index);
  ~IndexComparison();
  // Throws Error(untrusted) where the file differs from what the index says, invalid_input if it is no NAR.
  void feed(std::string_view piece);
  // The same for a file that ends early.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::server
