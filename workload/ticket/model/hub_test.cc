#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/preload.h"
#include "ticket/testing/scoped_environment.h"

namespace ticket::model {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* minilm = "sentence-transformers/all-MiniLM-L6-v2";

class Caches : public testing::Test {
 protected:
  // A directory with what a model needs.
  fs::path make(const std::string& place) {
    fs::path directory = root_.path() / place;
    fs::create_directories(directory);
    for (const char* file : {"config.json", "tokenizer.json", "model.safetensors"})
      flox::write_file(directory / file, "{}");
    return directory;
  }
  void point_main_at(const std::string& folder, const std::string& commit) {
    fs::create_directories(root_.path() / folder / "refs");
    flox::write_file(root_.path() / folder / "refs" / "main", commit);
  }
  fs::path find(const std::string& id) { return find_model(id, {root_.path() / "a", root_.path() / "b"}); }
  flox::TempDir root_;
};

TEST_F(Caches, TheSnapshotOfRefsMainIsTheModel) {
  const std::string folder = "a/" + cache_folder_name(minilm);
  EXPECT_EQ(cache_folder_name(minilm), "models--sentence-transformers--all-MiniLM-L6-v2");
  make(folder + "/snapshots/1111");
  fs::path second = make(folder + "/snapshots/2222");
  point_main_at(folder, "2222\n");
  EXPECT_EQ(find(minilm), second);
  EXPECT_EQ(find("all-MiniLM-L6-v2"), second);
}

TEST_F(Caches, WithoutRefsTheOnlySnapshotIsIt) {
  fs::path only = make("b/" + cache_folder_name(minilm) + "/snapshots/1111");
  EXPECT_EQ(find(minilm), only);
}

TEST_F(Caches, MovedNamesFlatDirectoriesAndPathsAreFound) {
  fs::path moved = make("a/models--distilbert--distilbert-base-uncased-finetuned-sst-2-english/snapshots/1");
  EXPECT_EQ(find("distilbert-base-uncased-finetuned-sst-2-english"), moved);
  fs::path flat = make("b/sentence-transformers_all-MiniLM-L6-v2");
  EXPECT_EQ(find(minilm), flat);
  EXPECT_EQ(find(flat.string()), flat);
}

TEST_F(Caches, AnIncompleteModelIsNoneAndTheNextCacheIsAsked) {
  fs::path broken = make("a/" + cache_folder_name(minilm) + "/snapshots/1");
  fs::remove(broken / "model.safetensors");
  fs::create_symlink("../../blobs/gone", broken / "model.safetensors");
  fs::path whole = make("b/" + cache_folder_name(minilm) + "/snapshots/1");
  EXPECT_EQ(find(minilm), whole);
}

TEST_F(Caches, TheErrorListsEveryPlaceAndWhatIsWrongThere) {
  fs::path broken = make("a/" + cache_folder_name(minilm) + "/snapshots/1");
  fs::remove(broken / "tokenizer.json");
  try {
    find(minilm);
    FAIL() << "found";
  } catch (const flox::Error& error) {
    EXPECT_EQ(error.kind(), flox::ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr(broken.string() + ": not there: tokenizer.json"));
    EXPECT_THAT(error.what(), HasSubstr((root_.path() / "b").string() + ": no such directory"));
    EXPECT_THAT(error.advice(), HasSubstr("preload-models"));
  }
}

TEST_F(Caches, ARefThatLeavesTheCacheIsNotFollowed) {
  make("outside");
  point_main_at("a/" + cache_folder_name(minilm), "../../../outside");
  EXPECT_THROW(find(minilm), flox::Error);
}

TEST(CacheDirectories, ComeFromTheEnvironmentEachOnce) {
  ScopedEnvironment environment;
  environment.set("HF_HUB_CACHE", "/hub");
  environment.set("HF_HOME", "/home/hf");
  environment.set("TRANSFORMERS_CACHE", "/models");
  environment.set("HOME", "/root");
  EXPECT_THAT(cache_directories("/models"),
              ElementsAre("/models", "/hub", "/home/hf/hub", "/root/.cache/huggingface/hub"));
}

std::vector<std::string> needed(std::vector<std::string> files) {
  HubModel model{.id = "m", .commit = std::string(40, 'a')};
  for (std::string& name : files)
    model.files.push_back({.name = std::move(name), .size = 1, .hash = std::string(40, 'b')});
  std::vector<std::string> names;
  for (const HubFile& file : files_needed(model)) names.push_back(file.name);
  return names;
}

TEST(FilesNeeded, AreOneFormatOfWeightsAndOneFormOfTokenizer) {
  EXPECT_THAT(needed({"README.md", "config.json", "flax_model.msgpack", "merges.txt", "pytorch_model.bin",
                      "vocab.json"}),
              ElementsAre("config.json", "merges.txt", "vocab.json", "pytorch_model.bin"));
  EXPECT_THAT(
      needed({"config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "vocab.txt"}),
      ElementsAre("config.json", "tokenizer.json", "model.safetensors"));
  EXPECT_THROW(needed({"config.json", "tokenizer.json", "tf_model.h5"}), flox::Error);
}

}  // namespace
}  // namespace ticket::model
