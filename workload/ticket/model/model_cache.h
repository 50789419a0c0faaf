// Where models are on disk: Hugging Face's cache layout, as huggingface_hub and transformers read and write
// it.
//
//   MODEL_CACHE_DIR/models--ORG--NAME/refs/main              text: the commit
//                                    /snapshots/COMMIT/FILE  symlink to ../../blobs/HASH, or a plain file
//                                    /blobs/HASH             the content; HASH.incomplete while it is being
//                                    fetched
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ticket::model {

// "sentence-transformers/all-MiniLM-L6-v2" -> "models--sentence-transformers--all-MiniLM-L6-v2".
std::string cache_folder_name(std::string_view model_id);

// A model's names on the Hub: what it was asked for by, and what that leads to there.
std::vector<std::string> model_names(std::string_view model_id);

// Directories that may hold models, in the order they are asked, none twice: `model_cache_dir`
// (MODEL_CACHE_DIR), HF_HUB_CACHE, HF_HOME/hub, TRANSFORMERS_CACHE, ~/.cache/huggingface/hub.
std::vector<std::filesystem::path> cache_directories(const std::filesystem::path& model_cache_dir);

// What a directory lacks to be a model's (config.json, weights, tokenizer); empty if nothing.
std::string missing_from_snapshot(const std::filesystem::path& directory);

// The directory with the files of a model, of the first cache that has a complete one. A model is found under
// its id and under the name that the Hub redirects that id to ("distilbert-base-uncased-…" is now
// "distilbert/distilbert-…"), at the commit of refs/main, else in the only snapshot there is; also as a flat
// directory (ID, ID with its "/" as "_", or the last part of ID) with a config.json. `model_id` may be the
// path of such a directory itself. Throws flox::Error(not_found) that lists every place looked at and what
// was wrong with it, with the advice how to fill the cache.
std::filesystem::path find_model(std::string_view model_id, const std::vector<std::filesystem::path>& caches);

}  // namespace ticket::model
