// Paths of which the node has a part under other names: what is fetched of them, and what happens if the
// cache lies.
#include "store/fetch/delta_fetch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <map>
#include <mutex>

#include "nix/cache_layout.h"
#include "store/cache/upload.h"
#include "store/fetch/delta_base.h"
#include "store/fetch/delta_tree.h"
#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Bytes that do not compress, the same in every run.
std::string random_bytes(size_t size, const std::string& seed) {
  std::string bytes;
  for (size_t i = 0; bytes.size() < size; ++i) bytes += bytes_of(sha256(seed + std::to_string(i)));
  bytes.resize(size);
  return bytes;
}

TEST(PackageStem, versions_of_an_output_of_one_package_have_it_in_common) {
  EXPECT_EQ(package_stem("openssl-3.0.11-dev"), "openssl-dev");
  EXPECT_EQ(package_stem("openssl-3.1-dev"), "openssl-dev");
  EXPECT_EQ(package_stem("python3.11-numpy-1.24.2"), "python3.11-numpy");
  EXPECT_EQ(package_stem("7zip-22.01"), "7zip");
  EXPECT_EQ(package_stem("app"), "app");
  EXPECT_EQ(package_stem("a--1"), "a-");
}

TEST(FrameRanges, frames_that_lie_near_each_other_are_asked_for_together) {
  NarIndex index;
  for (uint32_t i = 0; i < 100; ++i) {
    index.frames.push_back({.file_offset = i * 100'000ul, .file_size = 100'000});
    index.chunks.push_back({.frame = i});
    index.chunks.push_back({.frame = i});
  }
  std::vector<bool> missing(200);
  for (const size_t chunk : {2, 3, 4, 9, 150}) missing[chunk] = true;
  const auto ranges = ranges_of(index, missing);
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].part.first, 100'000u);
  EXPECT_EQ(ranges[0].part.size, 400'000u);
  EXPECT_THAT(ranges[0].frames, ElementsAre(1, 2, 4));
  EXPECT_THAT(ranges[1].frames, ElementsAre(75));
  EXPECT_THAT(ranges_of(index, std::vector<bool>(200)), IsEmpty());
}

TEST(DeltaTree, is_stopped_within_a_large_file) {
  const TempDir directory;
  write_file(directory.path() / "base", random_bytes(4 << 20, "base"));
  NarIndex index;
  index.nodes.push_back({.size = 1, .chunk_count = 1});
  index.chunks.push_back({.size = 1, .hash = sha256("missing")});
  int asked = 0;
  EXPECT_THROW(make_delta_tree(index, {directory.path() / "base"}, {}, directory.path() / "tree",
                               [&] { return ++asked > 3; }),
               Error);
}

// A cache that sees how many parts are open at once.
class WatchedCache : public BinaryCache {
 public:
  WatchedCache(BinaryCache& cache, size_t& most_waiting)
      : BinaryCache(cache.settings()), cache_(cache), most_waiting_(most_waiting) {}
  std::unique_ptr<BinaryCache> clone() const override {
    return std::make_unique<WatchedCache>(cache_, most_waiting_);
  }
  bool is_remote() const noexcept override { return false; }
  using BinaryCache::ask;
  void ask(const std::string& name, std::function<void(CacheAnswer)> done) override {
    cache_.ask(name, std::move(done));
  }
  std::unique_ptr<NarFile> open_nar(const nix::NarInfo& info, size_t buffer) override {
    return cache_.open_nar(info, buffer);
  }
  // What does not fit the buffer waits to be read, and stops what shares its connection.
  std::unique_ptr<NarFile> open_part(const nix::NarInfo& info, const Part& part, size_t buffer) override {
    std::erase_if(open_, [](const auto& file) { return file.expired(); });
    if (part.size > buffer) most_waiting_ = std::max(most_waiting_, open_.size() + 1);
    auto file = std::make_shared<std::unique_ptr<NarFile>>(cache_.open_part(info, part, buffer));
    open_.push_back(file);
    return std::make_unique<Opened>(std::move(file));
  }
  void put(std::string_view, const fs::path&, std::string_view) override {}

 private:
  class Opened : public NarFile {
   public:
    explicit Opened(std::shared_ptr<std::unique_ptr<NarFile>> file) : file_(std::move(file)) {}
    bool read(std::string& piece) override { return (*file_)->read(piece); }
    bool is_there() const override { return (*file_)->is_there(); }

   private:
    std::shared_ptr<std::unique_ptr<NarFile>> file_;
  };
  BinaryCache& cache_;
  size_t& most_waiting_;
  std::vector<std::weak_ptr<std::unique_ptr<NarFile>>> open_;
};

// Versions 1.0 and 1.1 of a package, of which 1.0 is on the node and both are in the cache.
class DeltaTest : public HttpRealiseTest {
 protected:
  static constexpr size_t file_size = 3'000'000;

  DeltaTest() {
    files_["bin/tool"] = random_bytes(file_size, "tool");
    files_["lib/one"] = random_bytes(file_size, "one");
    files_["lib/two"] = random_bytes(file_size, "two");
    files_["share/empty"] = "";
    files_["share/small"] = "small";
    v1_ = publish("tool-1.0");
    files_["lib/one"].replace(1'000'000, 20, "changed in the middle");
    files_["share/new"] = "new";
    v2_ = publish("tool-1.1");
    instead_ = [this](const ServerRequest& request) { return answer(request); };
    LocalStore store(node());
    realise(store, {*v1_}, http_options());
    asked_.clear();
  }

  StorePath publish(const std::string& name) {
    LocalStore publisher(temp_.path() / "publisher");
    const fs::path tree = temp_.path() / "trees" / name;
    for (const auto& [file, text] : files_) {
      fs::create_directories((tree / file).parent_path());
      write_file(tree / file, text, file.starts_with("bin/") ? 0755 : 0644);
    }
    fs::create_symlink("../bin/tool", tree / "share/link");
    const StorePath path = publisher.add_tree(tree, name, {}).path;
    upload_closure(publisher, *BinaryCache::open(url("cache")), {path}, key_);
    return path;
  }
  // Changes what the cache has of an index, and the signed narinfo with it: what only a publisher could do.
  void edit_index(const std::function<void(NarIndex&)>& edit) {
    edit_narinfo("cache", *v2_, [&](nix::NarInfo& narinfo) {
      const fs::path cache = temp_.path() / "cache";
      NarIndex index = NarIndex::unpack(read_file(cache / nix::index_file_name(*narinfo.index_hash)));
      edit(index);
      const std::string packed = *index.pack();
      narinfo.index_hash = sha256(packed);
      nix::sign_index(narinfo, key_);
      write_file(cache / nix::index_file_name(*narinfo.index_hash), packed);
    });
  }
  nix::NarInfo narinfo_of(const StorePath& path) const {
    return nix::NarInfo::parse(read_file(narinfo("cache", path)));
  }
  RealiseResult realise_v2() {
    LocalStore store(node());
    const RealiseResult result = realise(store, {*v2_}, http_options());
    EXPECT_TRUE(store.is_valid(*v2_));
    for (const auto& [file, text] : files_)
      EXPECT_TRUE(read_file(store.real_path(*v2_) / file) == text) << file;
    EXPECT_EQ(fs::read_symlink(store.real_path(*v2_) / "share/link"), "../bin/tool");
    EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
    EXPECT_THAT(names_in(store.staging_directory()), IsEmpty());
    const Outcome verify =
        run_nix({"nix-store", "--store", node().string(), "--verify", "--check-contents"}, temp_.path());
    EXPECT_EQ(verify.exit_code, 0) << verify.err;
    return result;
  }
  void expect_whole(const RealiseResult& result) const {
    EXPECT_GE(result.bytes_fetched, *narinfo_of(*v2_).file_size);
  }
  // Answers that a test sets for requests with a Range come in place of the server's.
  std::optional<ServerResponse> answer(const ServerRequest& request) {
    if (!request.path.starts_with("/nar/")) return std::nullopt;
    const auto range = request.headers.find("range");
    if (!fs::exists(temp_.path() / "cache" / request.path.substr(1))) return std::nullopt;
    const std::lock_guard lock(mutex_);
    if (request.path.ends_with(".index.zst")) return std::nullopt;
    asked_.push_back(range == request.headers.end() ? "whole" : range->second);
    if (range != request.headers.end() && on_range_) return on_range_(request);
    // What is named after its hash has that for its tag, and a server gives parts only of what has one.
    return ServerResponse{.content_type = "application/x-nix-nar",
                          .body_file = temp_.path() / "cache" / request.path.substr(1),
                          .headers = {{"ETag", "\"" + request.path.substr(5) + "\""}}};
  }
  size_t ranges_asked() {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(
        std::ranges::count_if(asked_, [](const auto& range) { return range != "whole"; }));
  }

  std::map<std::string, std::string> files_;
  std::optional<StorePath> v1_, v2_;
  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::function<std::optional<ServerResponse>(const ServerRequest&)> on_range_;
};

TEST_F(DeltaTest, of_another_version_only_what_changed_is_fetched_in_few_requests) {
  const RealiseResult result = realise_v2();
  EXPECT_EQ(result.paths_fetched, 1u);
  // One frame of a MiB or two, of nine.
  EXPECT_LT(result.bytes_fetched, *narinfo_of(*v2_).file_size / 3);
  EXPECT_GE(ranges_asked(), 1u);
  EXPECT_LE(ranges_asked(), 3u);
}

TEST_F(DeltaTest, what_came_of_the_path_itself_is_not_fetched_again) {
  v2_ = publish("without-a-version");
  const fs::path part = temp_.path() / "part";
  {
    const NarIndex index = NarIndex::unpack(
        read_file(temp_.path() / "cache" / nix::index_file_name(*narinfo_of(*v2_).index_hash)));
    const Fd fd = open_file(part, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(index.nar_size)), 0);
    const auto has_part = [&](const std::string& file, size_t begin, const std::string& text) {
      for (size_t i = 0; i < index.nodes.size(); ++i)
        if (index.path_of(i) == file) write_all_at(fd.get(), text, index.nodes[i].nar_offset + begin);
    };
    has_part("bin/tool", 1'500'000, files_["bin/tool"].substr(1'500'000));
    has_part("lib/two", 0, files_["lib/two"]);
    std::string damaged = files_["lib/one"];
    damaged[2'000'000] ^= 1;
    has_part("lib/one", 0, damaged);
  }
  RealiseOptions options = http_options();
  options.unfinished = [&](const StorePath& path) { return path == *v2_ ? part : fs::path(); };
  LocalStore store(node());
  const RealiseResult result = realise(store, {*v2_}, options);
  for (const auto& [file, text] : files_)
    EXPECT_TRUE(read_file(store.real_path(*v2_) / file) == text) << file;
  EXPECT_LT(result.bytes_fetched, file_size * 4 / 3);
  EXPECT_GT(result.bytes_fetched, file_size / 2);
}

TEST_F(DeltaTest, a_large_path_of_which_hardly_anything_came_is_fetched_in_one_stream) {
  files_ = {{"file", random_bytes(36'000'000, "large")}, {"share/small", "small"}};
  v2_ = publish("without-a-version");
  const fs::path part = temp_.path() / "part";
  {
    const NarIndex index = NarIndex::unpack(
        read_file(temp_.path() / "cache" / nix::index_file_name(*narinfo_of(*v2_).index_hash)));
    const Fd fd = open_file(part, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(index.nar_size)), 0);
    write_all_at(fd.get(), files_["file"].substr(0, 2'000'000), index.nodes.at(1).nar_offset);
  }
  RealiseOptions options = http_options();
  options.unfinished = [&](const StorePath& path) { return path == *v2_ ? part : fs::path(); };
  LocalStore store(node());
  expect_whole(realise(store, {*v2_}, options));
  EXPECT_EQ(ranges_asked(), 0u);
  EXPECT_TRUE(read_file(store.real_path(*v2_) / "file") == files_["file"]);
}

TEST_F(DeltaTest, a_server_without_ranges_gives_the_whole) {
  on_range_ = [this](const ServerRequest& request) {
    return ServerResponse{.body = read_file(temp_.path() / "cache" / request.path.substr(1))};
  };
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, another_part_than_was_asked_for_is_not_taken) {
  on_range_ = [this](const ServerRequest& request) {
    const std::string whole = read_file(temp_.path() / "cache" / request.path.substr(1));
    return ServerResponse{.status = 206,
                          .body = whole.substr(0, 1000),
                          .headers = {{"Content-Range", fmt::format("bytes 0-999/{}", whole.size())}}};
  };
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, a_part_with_other_bytes_is_not_taken) {
  on_range_ = [](const ServerRequest& request) {
    const std::string range = request.headers.at("range");
    const uint64_t first = std::stoull(range.substr(6)),
                   last = std::stoull(range.substr(range.find('-') + 1));
    return ServerResponse{.status = 206,
                          .body = std::string(last - first + 1, 'x'),
                          .headers = {{"Content-Range", fmt::format("bytes {}-{}/99999999", first, last)}}};
  };
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, a_part_that_ends_early_is_not_taken) {
  on_range_ = [](const ServerRequest& request) {
    const std::string range = request.headers.at("range");
    const uint64_t first = std::stoull(range.substr(6)),
                   last = std::stoull(range.substr(range.find('-') + 1));
    return ServerResponse{.status = 206,
                          .body = "short",
                          .headers = {{"Content-Range", fmt::format("bytes {}-{}/99999999", first, last)}}};
  };
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, an_index_that_is_not_signed_by_a_trusted_key_is_not_asked_for) {
  edit_narinfo("cache", *v2_, [](nix::NarInfo& narinfo) {
    narinfo.index_signatures.clear();
    nix::sign_index(narinfo, nix::SecretKey::generate("publisher-1"));
  });
  expect_whole(realise_v2());
  EXPECT_EQ(ranges_asked(), 0u);
}

TEST_F(DeltaTest, an_index_with_other_bytes_than_were_signed_is_not_used) {
  write_file(temp_.path() / "cache" / nix::index_file_name(*narinfo_of(*v2_).index_hash),
             *NarIndex::unpack(
                  read_file(temp_.path() / "cache" / nix::index_file_name(*narinfo_of(*v1_).index_hash)))
                  .pack());
  expect_whole(realise_v2());
  EXPECT_EQ(ranges_asked(), 0u);
}

TEST_F(DeltaTest, a_missing_index_means_the_whole) {
  fs::remove(temp_.path() / "cache" / nix::index_file_name(*narinfo_of(*v2_).index_hash));
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, a_signed_index_of_another_path_is_not_used) {
  const NarIndex other = NarIndex::unpack(
      read_file(temp_.path() / "cache" / nix::index_file_name(*narinfo_of(*v1_).index_hash)));
  edit_index([&](NarIndex& index) { index = other; });
  expect_whole(realise_v2());
}

// A publisher whose index is wrong costs time, and nothing else.
TEST_F(DeltaTest, a_signed_index_with_wrong_hashes_means_the_whole) {
  edit_index([](NarIndex& index) { index.chunks[5].hash = sha256("other"); });
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, a_signed_index_that_takes_a_chunk_of_another_file_means_the_whole) {
  // Two chunks of the same size: what is here of the one would be put in place of the other.
  edit_index([](NarIndex& index) {
    for (auto& chunk : index.chunks)
      if (&chunk != index.chunks.data() && chunk.size == index.chunks[0].size)
        chunk.hash = index.chunks[0].hash;
    std::swap(index.chunks[0].hash, index.chunks[1].hash);
  });
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, a_signed_index_with_wrong_frames_means_the_whole) {
  edit_index([](NarIndex& index) {
    for (auto& frame : index.frames) frame.file_size -= 1;
    index.frames.back().file_size += index.frames.size();
  });
  expect_whole(realise_v2());
}

TEST_F(DeltaTest, a_base_that_was_damaged_or_lost_files_gives_what_is_right_of_it) {
  LocalStore store(node());
  const fs::path base = store.real_path(*v1_);
  for (const auto& entry : fs::recursive_directory_iterator(base)) {
    if (entry.is_symlink()) continue;
    fs::permissions(entry.path(), fs::perms(entry.is_directory() ? 0755 : 0644));
  }
  fs::permissions(base, fs::perms(0755));
  fs::remove(base / "bin/tool");
  const Fd fd = open_file(base / "lib/two", O_WRONLY);
  EXPECT_EQ(::pwrite(fd.get(), "damage", 6, 2'000'000), 6);
  const RealiseResult result = realise(store, {*v2_}, http_options());
  for (const auto& [file, text] : files_)
    EXPECT_TRUE(read_file(store.real_path(*v2_) / file) == text) << file;
  EXPECT_LT(result.bytes_fetched, *narinfo_of(*v2_).file_size * 9 / 10);
  EXPECT_GT(result.bytes_fetched, file_size);
}

TEST_F(DeltaTest, what_has_nothing_in_common_is_fetched_in_one_stream) {
  for (auto& [file, text] : files_)
    if (!text.empty()) text = random_bytes(text.size(), "other" + file);
  v2_ = publish("tool-2.0");
  expect_whole(realise_v2());
  EXPECT_EQ(ranges_asked(), 0u);
}

TEST_F(DeltaTest, a_path_that_is_one_file_is_a_delta_too) {
  LocalStore publisher(temp_.path() / "publisher");
  std::string text = random_bytes(8'000'000, "image");
  const auto add_file = [&](const std::string& name) {
    write_file(temp_.path() / name, text);
    const StorePath path = publisher.add_tree(temp_.path() / name, name, {}).path;
    upload_closure(publisher, *BinaryCache::open(url("cache")), {path}, key_);
    return path;
  };
  const StorePath first = add_file("image-1.img");
  text.insert(4'000'000, "more");
  const StorePath second = add_file("image-1.img");
  LocalStore store(node());
  realise(store, {first}, http_options());
  EXPECT_LT(realise(store, {second}, http_options()).bytes_fetched, 3'000'000u);
  EXPECT_TRUE(read_file(store.real_path(second)) == text);
}

// Over HTTP/2 the one that waits could stop the one that is read.
TEST_F(DeltaTest, a_large_part_is_asked_for_when_the_one_before_it_was_read) {
  files_ = {{"file", random_bytes(24 << 20, "large")}, {"share/small", "small"}};
  const StorePath path = publish("large-1.0");
  const nix::NarInfo narinfo = narinfo_of(path);
  const auto cache = BinaryCache::open(url("cache"));
  size_t most_waiting = 0;
  WatchedCache watched(*cache, most_waiting);
  const fs::path tree = temp_.path() / "tree";
  MemoryBudget budget(1 << 30);
  NarIndex index;
  fetch_delta(narinfo, watched, tree, budget,
              {.begin =
                   [&](const std::string& packed, size_t chunks) {
                     index = NarIndex::unpack(packed);
                     make_delta_tree(index, {}, {}, tree, [] { return false; });
                     std::vector<bool> missing(chunks);
                     for (size_t i = 0; i < chunks; ++i) missing[i] = i % (chunks / 2) < chunks / 5;
                     return missing;
                   },
               .read = [](NarFile& file, std::string& piece) { return file.read(piece); },
               .count = [](uint64_t) {}});
  EXPECT_EQ(most_waiting, 1u);
  EXPECT_EQ(read_file(tree / "file").substr(0, 1 << 20), files_["file"].substr(0, 1 << 20));
}

}  // namespace
}  // namespace flox::store
