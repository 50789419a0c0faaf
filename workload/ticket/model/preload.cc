#include "ticket/model/preload.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/cache_writer.h"
#include "ticket/model/model_cache.h"

namespace ticket::model {

namespace fs = std::filesystem;
using flox::Error;
using flox::ErrorKind;

namespace {

constexpr uint64_t spare_bytes = 16 << 20;  // what a disk shall have left for others

std::string megabytes(uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

// What is said on stdout: a line for each file; on a terminal the file's progress in place, elsewhere a line
// each 10 s.
class Progress {
 public:
  Progress(bool quiet, const HubFile& file) : quiet_(quiet), file_(file) {}
  ~Progress() {
    if (terminal_ && shown_) fmt::print("\r\033[K");
  }
  void operator()(uint64_t there) {
    auto now = std::chrono::steady_clock::now();
    if (quiet_ ||
        now - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000)))
      return;
    last_ = now;
    shown_ = true;
    fmt::print("{}  {}: {} of {}{}", terminal_ ? "\r\033[K" : "", file_.name, megabytes(there),
               megabytes(file_.size), terminal_ ? "" : "\n");
    std::fflush(stdout);
  }
  static void line(bool quiet, std::string_view text) {
    if (quiet) return;
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }

 private:
  bool quiet_, shown_ = false;
  const HubFile& file_;
  bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void check_room(const fs::path& cache, uint64_t needed) {
  struct statvfs disk {};
  if (needed == 0) return;
  if (::statvfs(cache.c_str(), &disk) != 0)
    flox::fail_errno(errno, "looking at the disk of {}", cache.string());
  uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free < needed + spare_bytes)
    throw Error(
        ErrorKind::unavailable,
        fmt::format("the model cache {} has {} free, and {} are needed", cache.string(), megabytes(free),
                    megabytes(needed + spare_bytes)),
        "Make room, or give MODEL_CACHE_DIR (in the guide: the volume of the model cache) more space.");
}

void make_cache(const fs::path& cache) {
  flox::in_context("preparing the model cache " + cache.string(), [&] {
    std::error_code error;
    fs::create_directories(cache, error);
    if (error) flox::fail_errno(error.value(), "making the directory");
    flox::TempDir probe(".write-test-", cache);
  });
}

struct Wanted {
  HubModel model;
  std::vector<HubFile> files;
};

PreloadedModel fetch_model(const PreloadOptions& options, Hub& hub, const Wanted& wanted) {
  CacheWriter writer(options.cache, wanted.model);
  PreloadedModel result{.id = wanted.model.id, .snapshot = writer.snapshot()};
  Progress::line(options.quiet, fmt::format("{} ({})", result.id, wanted.model.commit.substr(0, 12)));
  for (const HubFile& file : wanted.files) {
    uint64_t fetched = 0;
    if (!writer.has(file, options.check_content)) {
      Progress progress(options.quiet, file);
      fetched = writer.fetch(hub, file, [&](uint64_t there) { progress(there); });
    }
    writer.link(file);
    result.bytes += file.size;
    result.fetched += fetched;
    Progress::line(options.quiet, fmt::format("  {}: {}{}", file.name, megabytes(file.size),
                                              fetched == 0 ? ", there already" : ""));
  }
  writer.finish();
  return result;
}

// A model that is complete on this machine.
std::optional<PreloadedModel> present(const PreloadOptions& options, const std::string& id) {
  std::vector<fs::path> caches{options.cache};
  caches.insert(caches.end(), options.other_caches.begin(), options.other_caches.end());
  try {
    PreloadedModel result{.id = id, .snapshot = find_model(id, caches)};
    for (const auto& entry : fs::recursive_directory_iterator(result.snapshot))
      if (entry.is_regular_file()) result.bytes += entry.file_size();
    return result;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return std::nullopt;
  }
}

}  // namespace

std::vector<HubFile> files_needed(const HubModel& model) {
  std::vector<HubFile> result;
  auto take = [&](std::string_view name) {
    auto found = std::ranges::find(model.files, name, &HubFile::name);
    if (found != model.files.end()) result.push_back(*found);
    return found != model.files.end();
  };
  auto lacks = [&](std::string_view what) {
    throw Error(ErrorKind::not_found, fmt::format("model {} on the Hub has no {}", model.id, what),
                "Is it a model of this kind? EMBEDDING_MODEL, CLASSIFIER_MODEL and SUMMARIZER_MODEL name the "
                "models.");
  };
  if (!take("config.json")) lacks("config.json");
  for (const char* name : {"generation_config.json", "modules.json", "sentence_bert_config.json",
                           "config_sentence_transformers.json", "1_Pooling/config.json",
                           "special_tokens_map.json", "tokenizer_config.json"})
    take(name);
  if (!take("tokenizer.json")) {
    bool byte_pairs = std::ranges::count(model.files, "vocab.json", &HubFile::name) > 0 && take("merges.txt");
    if (!(byte_pairs && take("vocab.json")) && !take("vocab.txt"))
      lacks("tokenizer.json, vocab.json or vocab.txt");
  }
  if (!take("model.safetensors") && !take("pytorch_model.bin"))
    lacks("model.safetensors or pytorch_model.bin");
  return result;
}

std::vector<PreloadedModel> preload(const PreloadOptions& options) {
  std::vector<PreloadedModel> result;
  if (!options.hub.offline) make_cache(options.cache);
  Hub hub(options.hub);
  std::vector<Wanted> all;
  uint64_t needed = 0;
  for (const std::string& id : options.models) {
    try {
      Wanted wanted{.model = hub.model(id)};
      wanted.files = files_needed(wanted.model);
      CacheWriter writer(options.cache, wanted.model);
      for (const HubFile& file : wanted.files) needed += file.size - writer.fetched(file);
      all.push_back(std::move(wanted));
    } catch (const Error& error) {
      auto there = error.kind() == ErrorKind::unavailable ? present(options, id) : std::nullopt;
      if (!there && options.hub.offline) find_model(id, {options.cache});  // throws, and says where it looked
      if (!there) throw;
      Progress::line(options.quiet, fmt::format("{}: taken as it is, complete in {} ({})", id,
                                                there->snapshot.string(), error.what()));
      result.push_back(std::move(*there));
    }
  }
  check_room(options.cache, needed);
  for (const Wanted& wanted : all)
    result.push_back(
        flox::in_context("preloading " + wanted.model.id, [&] { return fetch_model(options, hub, wanted); }));
  return result;
}

int preload_command(PreloadOptions options, bool json) {
  options.quiet = json;
  auto start = std::chrono::steady_clock::now();
  std::vector<PreloadedModel> models = preload(options);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  uint64_t bytes = 0, fetched = 0;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PreloadedModel& model : models) {
    bytes += model.bytes;
    fetched += model.fetched;
    list.push_back({{"id", model.id},
                    {"snapshot", model.snapshot.string()},
                    {"bytes", model.bytes},
                    {"fetched_bytes", model.fetched}});
  }
  if (json)
    fmt::print("{}\n", nlohmann::ordered_json{{"models", list}, {"seconds", seconds}}.dump());
  else
    fmt::print("{} models, {}, are complete in {}; {} came over the network in {:.1f} s\n", models.size(),
               megabytes(bytes), options.cache.string(), megabytes(fetched), seconds);
  return 0;
}

}  // namespace ticket::model
