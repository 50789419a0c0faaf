// Indexes of NARs in the catalog's cache: uploaded, refused, merged, collected.
#include "server/files/index_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nix/cache_layout.h"
#include "nix/nar.h"
#include "server/files/cache_files.h"
#include "server/files/collector.h"
#include "server/testing/uploads.h"
#include "store/index/framed_nar.h"

namespace flox::server {
namespace {

class IndexTest : public UploadTest {
 protected:
  // A path that is one file, with the NAR's file in frames and its index uploaded.
  nix::NarInfo upload_framed(char digit, const std::string& content) {
    write_file(dir_.path() / "tree", content);
    return upload_tree(digit);
  }
  // A path with files a and b of 5 bytes, of which b is executable, two that do not compress and are in
  // frames of their own, and a link.
  nix::NarInfo upload_framed_tree(char digit) {
    const fs::path tree = dir_.path() / "tree";
    fs::create_directory(tree);
    write_file(tree / "a", "first");
    write_file(tree / "b", "other", 0755);
    std::string bytes;
    for (int i = 0; bytes.size() < 2 * store::FramedNar::frame_size; ++i)
      bytes += bytes_of(sha256(std::to_string(i)));
    write_file(tree / "c", bytes.substr(0, store::FramedNar::frame_size - 100'000));
    write_file(tree / "d", bytes);
    fs::create_symlink("good", tree / "link");
    return upload_tree(digit);
  }
  nix::NarInfo upload_tree(char digit) {
    std::string nar, file;
    nix::write_nar(dir_.path() / "tree", [&](std::string_view piece) { nar += piece; });
    store::FramedNar framed(0, 1, [&](std::string_view piece) { file += piece; });
    framed.feed(nar);
    index_ = framed.finish();
    index_.nar_hash = sha256(nar);
    index_.file_hash = sha256(file);
    nix::NarInfo narinfo{.info = {.path = path(digit), .nar_hash = sha256(nar), .nar_size = nar.size()},
                         .url = nix::nar_file_name(sha256(file), "zstd"),
                         .compression = "zstd",
                         .file_hash = sha256(file),
                         .file_size = file.size()};
    accept(narinfo.url, file);
    put_index(narinfo);
    return narinfo;
  }
  void put_index(nix::NarInfo& narinfo) {
    const std::string packed = *index_.pack();
    narinfo.index_hash = sha256(packed);
    narinfo.index_signatures.clear();
    nix::sign_index(narinfo, key_);
    accept(nix::index_file_name(*narinfo.index_hash), packed);
  }
  std::string index_name(const nix::NarInfo& narinfo) const {
    return nix::index_file_name(*narinfo.index_hash);
  }
  store::NarIndex index_;
};

TEST_F(IndexTest, an_index_is_served_and_named_by_the_narinfo) {
  const nix::NarInfo narinfo = upload_framed('0', "library");
  accept(narinfo);
  EXPECT_TRUE(cache_.find(index_name(narinfo)));
  EXPECT_EQ(cache_.narinfo(path('0'))->index_hash, narinfo.index_hash);
  EXPECT_EQ(cache_.narinfo(path('0'))->index_signatures, narinfo.index_signatures);
}

TEST_F(IndexTest, what_is_no_index_of_the_file_is_refused) {
  nix::NarInfo narinfo = upload_framed('0', "library");
  EXPECT_EQ(refusal([&] { accept("nar/" + std::string(52, '0') + ".index.zst", "x"); }),
            ErrorKind::untrusted);
  index_.nar_hash = sha256("other");
  put_index(narinfo);
  EXPECT_EQ(refusal([&] { accept(narinfo); }), ErrorKind::untrusted);
  accept(nix::index_file_name(sha256("no index")), "no index");
  narinfo.index_hash = sha256("no index");
  nix::sign_index(narinfo, key_);
  EXPECT_EQ(refusal([&] { accept(narinfo); }), ErrorKind::invalid_input);
  narinfo.index_hash = sha256("missing");
  nix::sign_index(narinfo, key_);
  EXPECT_EQ(refusal([&] { accept(narinfo); }), ErrorKind::not_found);
  EXPECT_FALSE(cache_.narinfo(path('0')));
}

// Whoever may publish could put it on somebody else's path, where it would stay.
TEST_F(IndexTest, an_index_that_says_another_thing_of_the_nar_than_is_in_it_is_refused) {
  const nix::NarInfo narinfo = upload_framed_tree('0');
  nix::NarInfo without = narinfo;
  without.leave_out_index();
  accept(without);
  const store::NarIndex right = index_;
  const auto refuses = [&](const std::string& what, const std::function<void(store::NarIndex&)>& edit) {
    index_ = right;
    edit(index_);
    nix::NarInfo wrong = narinfo;
    put_index(wrong);
    EXPECT_EQ(refusal([&] { accept(wrong); }), ErrorKind::untrusted) << what;
    EXPECT_FALSE(cache_.narinfo(path('0'))->index_hash) << what;
  };
  using Type = store::NarIndex::Type;
  refuses("name", [](auto& index) { index.nodes[1].name = "aa"; });
  refuses("mode", [](auto& index) {
    std::swap(index.nodes[1].type, index.nodes[2].type);  // of the same size together
  });
  refuses("target", [](auto& index) {
    for (auto& node : index.nodes)
      if (node.type == Type::symlink) node.target = "evil";
  });
  refuses("order of hashes", [](auto& index) { std::swap(index.chunks[0].hash, index.chunks[1].hash); });
  refuses("hash of the last chunk", [](auto& index) { index.chunks.back().hash = sha256("other"); });
  refuses("sizes of files", [](auto& index) {
    index.nodes[1].size = index.chunks[0].size += 1;
    index.nodes[2].size = index.chunks[1].size -= 1;
  });
  ASSERT_GE(right.frames.size(), 2u);
  refuses("borders of frames in the file", [](auto& index) {
    --index.frames[0].file_size;
    ++index.frames[1].file_size;
  });
  refuses("borders of frames in the NAR", [](auto& index) {
    --index.frames[0].nar_size;
    ++index.frames[1].nar_size;
  });
  index_ = right;
  accept(narinfo);
  EXPECT_EQ(cache_.narinfo(path('0'))->index_hash, narinfo.index_hash);
}

TEST_F(IndexTest, an_index_that_no_registered_key_has_signed_is_left_out) {
  nix::NarInfo narinfo = upload_framed('0', "library");
  narinfo.index_signatures.clear();
  nix::sign_index(narinfo, nix::SecretKey::generate("k"));
  accept(narinfo);
  EXPECT_FALSE(cache_.narinfo(path('0'))->index_hash);
}

TEST_F(IndexTest, a_path_that_is_here_gets_an_index_of_its_file_and_signatures_of_it) {
  nix::NarInfo narinfo = upload_framed('0', "library");
  nix::NarInfo without = narinfo;
  without.leave_out_index();
  accept(without);
  EXPECT_FALSE(cache_.narinfo(path('0'))->index_hash);
  accept(narinfo);
  EXPECT_EQ(cache_.narinfo(path('0'))->index_hash, narinfo.index_hash);
  accept(without);
  EXPECT_EQ(cache_.narinfo(path('0'))->index_hash, narinfo.index_hash);
  const auto first = narinfo.index_signatures;
  narinfo.index_signatures.clear();
  nix::sign_index(narinfo, other_);
  accept(narinfo);
  EXPECT_EQ(cache_.narinfo(path('0'))->index_signatures.size(), first.size() + 1);
}

TEST_F(IndexTest, an_index_goes_with_its_path_and_without_a_path_as_an_orphan) {
  const nix::NarInfo kept = upload_framed('0', "kept");
  accept(kept);
  const nix::NarInfo gone = upload_framed('1', "gone");
  accept(gone);
  const auto later = Clock::now() + std::chrono::hours(48);
  Collector collector(cache_, [](const Collector::Take& take) { take(std::string(32, '0')); });
  const Collected collected = collector.run(false, later, later);
  EXPECT_EQ(collected.paths, 1u);
  EXPECT_EQ(collected.nars, 1u);
  EXPECT_TRUE(cache_.find(index_name(kept)));
  EXPECT_FALSE(cache_.find(index_name(gone)));
  EXPECT_FALSE(cache_.find(gone.url));
  const nix::NarInfo orphan = upload_framed('2', "orphan");
  EXPECT_EQ(cache_.remove_orphans(later), 2u);
  EXPECT_FALSE(cache_.find(index_name(orphan)));
  EXPECT_TRUE(cache_.find(index_name(kept)));
}

}  // namespace
}  // namespace flox::server
