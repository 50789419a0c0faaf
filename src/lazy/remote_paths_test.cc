#include "lazy/remote_paths.h"

#include "lazy/frames_job.h"
#include "lazy/testing/published_mount.h"
#include "nix/cache_layout.h"

namespace flox::lazy {
namespace {

using RemotePathsTest = PublishedMount;

TEST_F(RemotePathsTest, FindsWhatACacheHas) {
  RemotePaths remote = this->remote(plan(url("cache")));
  const auto found = remote.find({*app_, *lib_, *base_});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].info.path, *app_);
  EXPECT_EQ(found[2].info.path, *base_);
  EXPECT_EQ(found[2].places.size(), 1u);
}

TEST_F(RemotePathsTest, NarinfosAndIndexesThatAreLargerTogetherThanAnAnswerAreAskedForInParts) {
  // Each is as large as a narinfo may be, so that not even half of them fit.
  nix::NarInfo info = nix::NarInfo::parse(read_file(narinfo("cache", *base_)));
  const std::string large(6 << 20, 'x');
  info.info.content_address.reset();
  for (int i = 0; i < 1400; ++i)
    info.info.references.insert(
        nix::StorePath::from_base_name(fmt::format("{:0>32}-{}", i, std::string(150, 'x'))));
  std::vector<nix::StorePath> paths;
  for (size_t i = 0; i < most_queried; ++i) {
    paths.push_back(nix::StorePath::from_base_name(fmt::format("{:0>32}-large", 100'000 + i)));
    info.info.path = paths.back();
    info.index_hash = sha256(large);
    sign(info.info, key_);
    sign_index(info, key_);
    const std::string text = info.to_string();
    ASSERT_LT(text.size(), nix::max_narinfo_size);
    ASSERT_GT(text.size(), nix::max_narinfo_size * 9 / 10);
    write_file(narinfo("cache", paths.back()), text);
  }
  write_file(temp_.path() / "cache" / nix::index_file_name(*info.index_hash), large);
  RemotePaths remote = this->remote(plan(url("cache")));
  try {
    remote.find(paths);
    ADD_FAILURE() << "that is no index";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr("index")) << error.what();
  }
  // The others are not in the way of one that is as it should be.
  EXPECT_EQ(remote.find({*base_}).size(), 1u);
}

}  // namespace
}  // namespace flox::lazy
