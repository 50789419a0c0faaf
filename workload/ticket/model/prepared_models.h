// Where prepared models are, and which of them a program can take instead of a checkpoint.
//
//   DIR/models--ORG--NAME/vN-PRECISION-LEVEL-DIGEST/weights.prepared    docs/formats/prepared-model.md
//                                               /config.json, …      the model's files that are no weights
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ticket/model/packed_weights.h"
#include "ticket/model/prepared_header.h"

namespace ticket::model {

// Directories that may hold prepared models, in the order they are asked: TICKET_PREPARED_MODELS, the
// environment's (FLOX_ENV/share/ticket-models: a package of models that is installed beside the program),
// MODEL_CACHE_DIR/prepared.
std::vector<std::filesystem::path> prepared_directories(const std::filesystem::path& model_cache_dir);

struct WantedModel {
  std::string id;  // on the Hub, or a directory
  Precision precision = Precision::fp32;
  WeightLayout layout = WeightLayout::of(kernels());
  std::optional<std::filesystem::path> snapshot;  // with its checkpoint, where that is on this machine
};

struct PreparedModel {
  std::filesystem::path directory;
  PreparedHeader header;
  std::string digest;
};

struct PreparedChoice {
  std::vector<PreparedModel> usable;  // best first
  // "DIRECTORY: why not", of all that was found for the model and is not usable.
  std::vector<std::string> refused;
};

// Looks at headers, not at the weights. A prepared model is usable if it has the precision that is wanted and
// comes from the snapshot's own files, or there is no snapshot. One for other panels (WeightLayout::serves)
// is usable where there is no snapshot: it is packed again in memory. Throws nothing for what is wrong with a
// directory.
PreparedChoice find_prepared(const WantedModel& wanted,
                             const std::vector<std::filesystem::path>& directories);

// All that DIR holds for a model, and what is wrong with the rest.
PreparedChoice list_prepared(std::string_view id, const std::filesystem::path& directory);

// Why it does not come from the files of the snapshot; empty if it does.
std::string differs_from(const PreparedHeader& header, const std::filesystem::path& snapshot);

}  // namespace ticket::model
