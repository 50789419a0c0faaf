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
  without.index_hash.reset();
  without.index_signatures.clear();
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
