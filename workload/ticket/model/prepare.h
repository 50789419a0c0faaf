// "ticket-processor prepare-models": a model's packed weights into a directory that any number of processes
// map.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "ticket/model/checkpoint.h"
#include "ticket/model/prepared_models.h"

namespace ticket::model {

struct PrepareRequest {
  std::string id, version;         // as PreparedHeader has them
  std::filesystem::path snapshot;  // with the checkpoint
  Precision precision = Precision::fp32;
  WeightLayout layout = WeightLayout::of(kernels());
  // Loads the model with this packing, and gives what keeps it alive.
  std::function<std::shared_ptr<void>(const Packing&)> load;
};

struct PrepareResult {
  std::filesystem::path directory;
  size_t bytes = 0;
  bool written = false;  // false: it was there already, and whole
};

// Makes DIR/models--ORG--NAME/vN-PRECISION-LEVEL-DIGEST, all of it or nothing: it is written beside its place
// and renamed. What is there for the same files, precision and level is compared with its checksums and
// taken, or replaced if it is damaged; what is there for earlier files of the model is removed. Processes
// that do this at once take turns (flock; where the file system has no locks, the rename decides and all
// succeed). Throws Error.
PrepareResult prepare(const PrepareRequest& request, const std::filesystem::path& directory);

}  // namespace ticket::model
