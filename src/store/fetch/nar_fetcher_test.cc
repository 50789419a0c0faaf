#include "store/fetch/nar_fetcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "base/os/process.h"
#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(RealiseTest, a_tampered_nar_is_refused) {
  const std::string other = run_checked({.argv = {"zstd", "-qc"}, .env = {}, .cwd = {}, .input = "evil"});
  write_file(nar("cache", *lib_), other);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              AllOf(HasSubstr(lib_->to_string()), HasSubstr(url("cache"))));

  fs::copy_file(nar("cache", *base_), nar("cache", *lib_), fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("larger than"));
}

TEST_F(RealiseTest, a_nar_of_the_right_size_with_other_contents_is_refused) {
  TempDir temp;
  LocalStore evil(temp.path());
  std::string text = "needs " + base_->to_string();
  text.back() = 'X';
  const StorePath other = add(evil, "lib", text, {});
  upload_closure(evil, *BinaryCache::open(url("evil")), {other}, key_);
  fs::copy_file(nar("evil", other), nar("cache", *lib_), fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("hash mismatch"));
}

// Answers for the NARs of "cache" with the first half of each, `times` times.
class CutShortTest : public HttpRealiseTest {
 protected:
  void cut_short(int times) {
    instead_ = [this, times](const ServerRequest& request) -> std::optional<ServerResponse> {
      if (!request.path.starts_with("/nar/")) return std::nullopt;
      const std::lock_guard lock(mutex_);
      if (asked_[request.path]++ >= times) return std::nullopt;
      const std::string whole = read_file(temp_.path() / "cache" / request.path.substr(1));
      return ServerResponse{.body = whole.substr(0, whole.size() / 2)};
    };
  }
  std::mutex mutex_;
  std::map<std::string, int> asked_;
};

TEST_F(CutShortTest, a_nar_that_ends_early_is_fetched_once_more) {
  cut_short(1);
  LocalStore store(node());
  EXPECT_EQ(realise(store, {*app_}, http_options()).paths_fetched, 3u);
  expect_realised();
  for (const auto& [path, times] : asked_) EXPECT_EQ(times, 2) << path;
}

TEST_F(CutShortTest, a_nar_that_ends_early_twice_is_fetched_from_the_next_cache) {
  cut_short(1 << 20);
  upload("second");
  RealiseOptions how = http_options();
  EXPECT_THAT(error_of(how, ErrorKind::unavailable), HasSubstr("bytes, twice"));
  how.caches.push_back(url("second"));
  LocalStore store(node());
  EXPECT_EQ(realise(store, {*app_}, how).paths_fetched, 3u);
  expect_realised();
}

TEST_F(CutShortTest, a_large_nar_that_ends_early_is_fetched_once_more) {
  LocalStore publisher(temp_.path() / "publisher");
  std::string text;
  while (text.size() < (20u << 20)) text += std::to_string(text.size()) + ",";
  const StorePath large = add(publisher, "large", text, {});
  upload_closure(publisher, *BinaryCache::open(url("cache")), {large}, key_);
  cut_short(1);
  LocalStore store(node());
  EXPECT_EQ(realise(store, {large}, http_options()).paths_fetched, 1u);
  EXPECT_EQ(read_file(store.real_path(large) / "share/text"), text);
}

TEST_F(RealiseTest, a_nar_that_is_a_million_levels_deep_is_refused_at_once) {
  auto text = [](std::string_view word) {
    std::string result;
    for (size_t i = 0; i < 8; ++i) result += static_cast<char>(word.size() >> (8 * i) & 0xff);
    return result + std::string(word) + std::string((8 - word.size() % 8) % 8, '\0');
  };
  std::string bomb = text("nix-archive-1");
  std::string level;
  for (const char* word : {"(", "type", "directory", "entry", "(", "name", "a", "node"}) level += text(word);
  for (int i = 0; i < 1'000'000; ++i) bomb += level;
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) {
    info.info.nar_size = bomb.size();
    info.info.nar_hash = sha256(bomb);
    info.info.content_address.reset();
    info.info.signatures = {key_.sign(info.info.fingerprint())};
    info.file_hash.reset();
    info.file_size.reset();
  });
  write_file(nar("cache", *lib_),
             run_checked({.argv = {"zstd", "-qc1"}, .env = {}, .cwd = {}, .input = bomb}));
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("levels deep"));
}

TEST_F(RealiseTest,
       one_path_that_is_larger_than_all_others_goes_through_every_thread_and_is_checked_all_the_same) {
  LocalStore publisher(temp_.path() / "publisher");
  std::string text;
  while (text.size() < (20u << 20)) text += std::to_string(text.size()) + ",";
  const StorePath large = add(publisher, "large", text, {});
  upload_closure(publisher, *BinaryCache::open(url("large")), {large}, key_);
  {
    LocalStore store(node());
    EXPECT_EQ(realise(store, {large}, options({url("large")})).paths_fetched, 1u);
    EXPECT_EQ(read_file(store.real_path(large) / "share/text"), text);
  }
  remove_tree(node());
  std::string other =
      run_checked({.argv = {"zstd", "-qdc", nar("large", large)}, .env = {}, .cwd = {}, .input = {}});
  other[other.size() / 2] ^= 1;
  write_file(nar("large", large),
             run_checked({.argv = {"zstd", "-qc"}, .env = {}, .cwd = {}, .input = other}));
  LocalStore store(node());
  try {
    realise(store, {large}, options({url("large")}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.what(), HasSubstr("hash mismatch"));
  }
  EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
  EXPECT_FALSE(store.is_valid(large));
}

// Three paths of 12 MB that need a window of 16 MiB each, for realisations with 32 MiB of memory, 20 of them
// for decoders.
class LargeWindowTest : public RealiseTest {
 protected:
  LargeWindowTest() {
    LocalStore publisher(temp_.path() / "publisher");
    std::string text;
    while (text.size() < (12u << 20)) text += std::to_string(text.size()) + ",";
    for (const char* name : {"one", "two", "three"}) {
      paths_.insert(add(publisher, name, name + text, {}));
    }
    upload_closure(publisher, *BinaryCache::open(url("large")), paths_, key_);
    for (const StorePath& path : paths_) {
      const fs::path file = nar("large", path);
      const std::string nar =
          run_checked({.argv = {"zstd", "-qdc", file}, .env = {}, .cwd = {}, .input = {}});
      write_file(file,
                 run_checked({.argv = {"zstd", "-qc1", "--long=24"}, .env = {}, .cwd = {}, .input = nar}));
    }
  }
  // Small files are read as a whole first, others while they are decoded.
  void announce_size(bool small) const {
    for (const StorePath& path : paths_)
      edit_narinfo("large", path, [&](nix::NarInfo& info) {
        info.file_hash.reset();
        info.file_size = small ? std::optional<uint64_t>(4 << 20) : std::nullopt;
      });
  }
  RealiseOptions large_options(uint64_t memory) {
    RealiseOptions how = options({url("large")});
    how.workers = 3;
    how.memory = memory;
    how.on_progress = [this](const RealiseProgress& progress) { decoder_memory_ = progress.decoder_memory; };
    return how;
  }

  StorePathSet paths_;
  uint64_t decoder_memory_ = 0;
};

TEST_F(LargeWindowTest, decoders_with_large_windows_take_turns_where_memory_is_scarce) {
  for (const bool small : {true, false}) {
    announce_size(small);
    LocalStore store(node());
    EXPECT_EQ(realise(store, paths_, large_options(32 << 20)).paths_fetched, 3u);
    EXPECT_GT(decoder_memory_, 16u << 20);
    EXPECT_LE(decoder_memory_, 20u << 20);
    remove_tree(node());
  }
}

TEST_F(LargeWindowTest, whoever_waits_for_memory_gives_up_when_another_worker_has_failed) {
  for (const bool small : {true, false}) {
    announce_size(small);
    for (const StorePath& path : paths_) {
      const std::string file = read_file(nar("large", path));
      write_file(nar("large", path), std::string_view(file).substr(0, file.size() - 1000));
    }
    LocalStore store(node());
    EXPECT_THROW(realise(store, paths_, large_options(32 << 20)), Error);
    EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
  }
}

TEST_F(LargeWindowTest, a_path_that_needs_more_memory_than_there_is_is_refused) {
  LocalStore store(node());
  try {
    realise(store, paths_, large_options(least_realise_memory));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("MiB of memory, and 17 MiB are allowed"));
  }
}

TEST_F(LargeWindowTest, too_little_memory_is_refused_at_once) {
  LocalStore store(node());
  try {
    realise(store, paths_, large_options(16 << 20));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("with 16 MiB of memory: at least 28 MiB are needed"));
  }
}

}  // namespace
}  // namespace flox::store
