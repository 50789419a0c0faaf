// "ticket-processor prepare-models": the three models, as the worker would load them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ticket/worker/model_loader.h"

namespace ticket {

struct PrepareChoice {
  std::filesystem::path directory;  // empty: MODEL_CACHE_DIR/prepared
  std::vector<std::string> levels;  // of processors; none: this one's
  bool json = false;
};

// Prepares the models of `settings` at their precisions for each level, and prints what was done; with
// allow_missing one that is not on this machine is told and passed over. Returns the exit code. Throws Error.
int prepare_models(const PrepareChoice& choice, const ModelSettings& settings);

}  // namespace ticket
