#include "node/lazy/lazy_mounts.h"

#include "lazy/served_paths.h"
#include "lazy/testing/published_mount.h"

namespace flox::node {
namespace {

class LazyMountTest : public lazy::PublishedMount {
 protected:
  LazyMountTest() {
    fs::create_directories(place_);
    lazy::write_mount_files(files(), plan(url("cache")), {});
  }
  Directory files() const { return Directory(place_); }
  // A server that lives as long as the process, whose files stay, too.
  void serve(const lazy::MountPlan& plan) const {
    auto* const served = new lazy::ServedPaths(files(), plan);
    lazy::serve_control(place_, *served, [] {});
  }

  const fs::path place_ = temp_.path() / "state/name/files";
  LazyMount mount_{"name", temp_.path() / "state", temp_.path() / "run", std::nullopt};
};

TEST_F(LazyMountTest, WhatCouldNotBeAddedLeavesNothingInItsFiles) {
  lazy::MountPlan other = plan(url("cache"));
  other.trusted_keys.clear();  // so it refuses
  serve(other);
  auto found = mount_.find({*base_});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THROW(mount_.add({&found[0]}), Error);
  EXPECT_FALSE(lazy::has_remote_path(files(), *base_));
}

TEST_F(LazyMountTest, FilesOfAPathThatWasNeverAddedAreNotBelieved) {
  serve(plan(url("cache")));
  files().write_file("known/" + std::string(base_->base_name()), "[]\n", 0600);
  auto found = mount_.find({*base_});
  ASSERT_EQ(found.size(), 1u);
  mount_.add({&found[0]});
  EXPECT_NE(found[0].slot, 0u);
  // Another floxd finds what the mount has, though no cache has it any more.
  fs::remove(narinfo("cache", *base_));
  LazyMount later("name", temp_.path() / "state", temp_.path() / "run", std::nullopt);
  EXPECT_EQ(later.find({*base_}).size(), 1u);
}

}  // namespace
}  // namespace flox::node
