// "ticket-processor preload-models": the models' files from the Hub into a cache.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ticket/model/hub.h"

namespace ticket::model {

struct PreloadOptions {
  std::filesystem::path cache;  // MODEL_CACHE_DIR; made if missing
  std::vector<std::filesystem::path>
      other_caches;                 // where models may be as well (cache_directories), for offline use
  std::vector<std::string> models;  // ids
  HubSettings hub;
  bool check_content = false;  // hash what is there already, instead of looking at sizes only
  bool quiet = false;          // no progress on stdout
};

struct PreloadedModel {
  std::string id;
  std::filesystem::path snapshot;
  uint64_t bytes = 0;    // of its files
  uint64_t fetched = 0;  // of them over the network, by this process
};

// The files of a model that are needed: its configuration, one format of weights (safetensors, else the
// PyTorch pickle) and one form of tokenizer. Throws flox::Error(not_found) if it has no weights or no
// tokenizer that can be read here.
std::vector<HubFile> files_needed(const HubModel& model);

// Fetches what is missing; models already complete are not fetched again. All or nothing is decided before
// the first byte: whether the disk has room. Offline, or if the Hub cannot be reached, models that are
// complete are taken as they are, the latter with a line that says so. Throws flox::Error naming the model
// and what to do; what was fetched stays and is not fetched again.
std::vector<PreloadedModel> preload(const PreloadOptions& options);

// The subcommand: prints progress, or with `json` only the result. Returns the exit code.
int preload_command(PreloadOptions options, bool json);

}  // namespace ticket::model
