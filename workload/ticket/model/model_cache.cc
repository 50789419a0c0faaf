#include "ticket/model/model_cache.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/environment.h"

namespace ticket::model {

namespace fs = std::filesystem;

namespace {

bool file_exists(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);  // through a link; a dangling one is no file
}
bool directory_exists(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// The snapshot of a directory in the Hub's layout, or what is wrong.
std::optional<fs::path> snapshot_of(const fs::path& folder, std::string& problem) {
  if (fs::path ref = folder / "refs" / "main"; file_exists(ref)) {
    std::string commit = flox::read_file(ref);
    commit.erase(std::ranges::find_if(commit, [](unsigned char c) { return std::isspace(c); }), commit.end());
    if (commit.empty() || commit.find('/') != std::string::npos || commit.starts_with('.')) {
      problem = "refs/main names no commit";
      return std::nullopt;
    }
    return folder / "snapshots" / commit;
  }
  std::vector<fs::path> snapshots;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "snapshots", error))
    snapshots.push_back(entry.path());
  if (snapshots.size() == 1) return snapshots[0];
  problem = snapshots.empty() ? "no refs/main and no snapshot" : "no refs/main, and more than one snapshot";
  return std::nullopt;
}

}  // namespace

std::vector<std::string> model_names(std::string_view model_id) {
  static const std::map<std::string, std::string, std::less<>> moved = {
      {"distilbert-base-uncased-finetuned-sst-2-english",
       "distilbert/distilbert-base-uncased-finetuned-sst-2-english"},
      {"distilbert/distilbert-base-uncased-finetuned-sst-2-english",
       "distilbert-base-uncased-finetuned-sst-2-english"}};
  std::vector<std::string> names{std::string(model_id)};
  if (auto found = moved.find(model_id); found != moved.end()) names.push_back(found->second);
  // sentence-transformers takes ids without an organisation for its own.
  if (model_id.find('/') == std::string_view::npos) names.push_back("sentence-transformers/" + names[0]);
  return names;
}

std::string cache_folder_name(std::string_view model_id) {
  std::string name = "models--";
  for (char c : model_id) c == '/' ? name += "--" : name += c;
  return name;
}

std::vector<fs::path> cache_directories(const fs::path& model_cache_dir) {
  std::vector<fs::path> result;
  auto add = [&](const fs::path& directory) {
    if (!directory.empty() && std::ranges::find(result, directory) == result.end())
      result.push_back(directory);
  };
  add(model_cache_dir);
  add(environment_or({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}, ""));
  if (auto home = environment("HF_HOME")) add(fs::path(*home) / "hub");
  add(environment_or({"TRANSFORMERS_CACHE"}, ""));
  if (auto home = environment("HOME")) add(fs::path(*home) / ".cache" / "huggingface" / "hub");
  return result;
}

std::string missing_from_snapshot(const fs::path& directory) {
  auto has = [&](const char* name) { return file_exists(directory / name); };
  if (!has("config.json")) return "config.json";
  if (!has("model.safetensors") && !has("pytorch_model.bin"))
    return "model.safetensors and pytorch_model.bin";
  if (!has("tokenizer.json") && !has("vocab.txt") && !(has("vocab.json") && has("merges.txt")))
    return "tokenizer.json, vocab.txt, and vocab.json with merges.txt";
  return "";
}

fs::path find_model(std::string_view model_id, const std::vector<fs::path>& caches) {
  std::string looked_at;
  auto complain = [&](const fs::path& place, std::string_view problem) {
    looked_at += fmt::format("\n  {}: {}", place.string(), problem);
  };
  auto usable = [&](const fs::path& directory) {
    std::string missing = missing_from_snapshot(directory);
    if (!missing.empty()) complain(directory, "not there: " + missing);
    return missing.empty();
  };

  if (fs::path itself(model_id); file_exists(itself / "config.json") && usable(itself)) return itself;
  for (const fs::path& cache : caches) {
    if (!directory_exists(cache)) {
      complain(cache, "no such directory");
      continue;
    }
    bool anything = false;
    for (const std::string& name : model_names(model_id)) {
      if (fs::path folder = cache / cache_folder_name(name); directory_exists(folder)) {
        anything = true;
        std::string problem;
        auto snapshot = snapshot_of(folder, problem);
        if (!snapshot)
          complain(folder, problem);
        else if (usable(*snapshot))
          return *snapshot;
      }
      std::string flat = name;
      std::ranges::replace(flat, '/', '_');
      for (const fs::path& directory :
           {cache / name, cache / flat, cache / name.substr(name.find('/') + 1)}) {
        if (!file_exists(directory / "config.json")) continue;
        anything = true;
        if (usable(directory)) return directory;
      }
    }
    if (!anything)
      complain(cache, fmt::format("neither {} nor a directory of that model", cache_folder_name(model_id)));
  }
  throw flox::Error(flox::ErrorKind::not_found,
                    fmt::format("model {} is not on this machine; looked at:{}", model_id, looked_at),
                    "Run 'ticket-processor preload-models' to fetch it into MODEL_CACHE_DIR, or set "
                    "MODEL_CACHE_DIR or HF_HOME to a cache that has it.");
}

}  // namespace ticket::model
