#include "server/transfer/copy_paths.h"

#include <gmock/gmock.h>

#include "nix/cache_layout.h"
#include "nix/nar.h"
#include "server/records/cache_readers.h"
#include "server/testing/uploads.h"
#include "server/transfer/everyones_cache.h"
#include "store/cache/file_cache.h"
#include "store/index/framed_nar.h"

namespace flox::server {
namespace {

// A cache here, of which somebody has a program and its library in private, and another cache.
class CopyPathsTest : public UploadTest {
 protected:
  CopyPathsTest() {
    for (const auto& name : names_of(library_)) readers_.restrict_to(name, "secret");
    for (const auto& name : names_of(program_)) readers_.restrict_to(name, "secret");
  }

  static std::vector<std::string> names_of(const nix::NarInfo& narinfo) {
    return {nix::narinfo_name(narinfo.info.path), narinfo.url};
  }
  bool is_public(const nix::NarInfo& narinfo) const {
    return everyone_.unreadable(names_of(narinfo)).empty();
  }

  // What the other cache has under that name.
  void offer(nix::NarInfo narinfo, const std::string& content) {
    narinfo.info.signatures = {key_.sign(narinfo.info.fingerprint())};
    fs::create_directories(there_ / "nar");
    write_file(there_ / narinfo.url, content, 0644);
    write_file(there_ / nix::narinfo_name(narinfo.info.path), narinfo.to_string(), 0644);
  }
  CopiedPaths copy(char digit) {
    store::FileCache from({.text = there_.string(), .scheme = "file", .rest = there_.string()});
    return copy_paths(from, cache_, {path(digit)}, {.compare_present = true, .access = everyone_});
  }

  fs::path there_ = dir_.path() / "there";
  CacheReaders readers_{*database_};
  EveryonesCache everyone_{*database_};
  nix::NarInfo library_ = upload('0', "library");
  nix::NarInfo program_ = upload('1', "program", {path('0')});
};

TEST_F(CopyPathsTest, what_is_private_here_stays_so_if_the_source_has_other_content_under_its_name) {
  const std::string content = "not the program";
  nix::NarInfo other = program_;
  other.info.nar_hash = sha256(content);
  other.info.nar_size = content.size();
  other.info.references.clear();
  other.file_hash = sha256(content);
  other.file_size = content.size();
  other.url = "nar/" + nix::to_base32(bytes_of(sha256(content))) + ".nar";
  offer(other, content);
  EXPECT_EQ(refusal([&] { copy('1'); }), ErrorKind::conflict);
  EXPECT_FALSE(is_public(program_));
  EXPECT_FALSE(is_public(library_));
}

TEST_F(CopyPathsTest, what_is_private_here_stays_so_if_the_source_only_says_that_it_has_it) {
  offer(library_, "LIBRARY");  // so long, but another
  offer(program_, "program");
  EXPECT_EQ(refusal([&] { copy('1'); }), ErrorKind::untrusted);
  EXPECT_FALSE(everyone_.may_read(nix::narinfo_name(path('1'))));
  EXPECT_FALSE(is_public(library_));
}

TEST_F(CopyPathsTest, what_the_source_delivers_with_all_that_it_refers_to_becomes_public) {
  offer(library_, "library");
  offer(program_, "program");
  EXPECT_EQ(copy('1').copied, 2u);
  EXPECT_TRUE(is_public(program_));
  EXPECT_TRUE(is_public(library_));
  EXPECT_EQ(copy('1').present, 2u);
}

TEST_F(CopyPathsTest, what_has_a_false_index_there_is_copied_without_it) {
  write_file(dir_.path() / "file", "text");
  std::string nar, file;
  nix::write_nar(dir_.path() / "file", [&](std::string_view piece) { nar += piece; });
  store::FramedNar framed(0, 1, [&](std::string_view piece) { file += piece; });
  framed.feed(nar);
  store::NarIndex index = framed.finish();
  nix::NarInfo narinfo{.info = {.path = path('2'), .nar_hash = sha256(nar), .nar_size = nar.size()},
                       .url = nix::nar_file_name(sha256(file), "zstd"),
                       .compression = "zstd",
                       .file_hash = sha256(file),
                       .file_size = file.size()};
  index.nar_hash = sha256(nar);
  index.file_hash = sha256(file);
  index.chunks[0].hash = sha256("evil");
  const std::string packed = *index.pack();
  narinfo.index_hash = sha256(packed);
  nix::sign_index(narinfo, key_);
  offer(narinfo, file);
  write_file(there_ / nix::index_file_name(sha256(packed)), packed);
  EXPECT_EQ(copy('2').copied, 1u);
  EXPECT_FALSE(cache_.narinfo(path('2'))->index_hash);
}

TEST_F(CopyPathsTest, what_is_public_here_must_be_the_same_there) {
  readers_.make_public(names_of(library_));
  nix::NarInfo other = library_;
  other.info.references = {path('1')};
  offer(other, "library");
  EXPECT_EQ(refusal([&] { copy('0'); }), ErrorKind::conflict);
  EXPECT_FALSE(is_public(program_));
}

}  // namespace
}  // namespace flox::server
