#include "node/floxd/store_views.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/os/file.h"
#include "store/gc/lease.h"
#include "store/local/local_store.h"
#include "testing/mount_namespace.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

class StoreViewsTest : public testing::Test {
 protected:
  StoreViewsTest() : store_(temp_.path() / "root") {
    fs::create_directories(temp_.path() / "tree");
    write_file(temp_.path() / "tree/file", "text");
    name_ = store_.add_tree(temp_.path() / "tree", "models", {}).path.base_name();
  }
  fs::path node_directory() const { return temp_.path() / "run"; }
  size_t mounts_at(const fs::path& place) const {
    const std::string mounts = read_file("/proc/self/mounts");
    size_t count = 0;
    for (size_t at = 0; (at = mounts.find(" " + place.string() + " ", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }

  TempDir temp_;
  store::LocalStore store_;
  std::string name_;
};

TEST_F(StoreViewsTest, TheWholeStoreIsHandedOutReadOnly) {
  in_mount_namespace([&] {
    StoreViews views(store_, node_directory());
    EXPECT_EQ(views.whole(), node_directory() / "store");
    EXPECT_EQ(read_file(views.whole() / name_ / "file"), "text");
    EXPECT_EQ(::mkdir((views.whole() / "new").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(::mkdir((store_.store_directory() / "new").c_str(), 0755), 0) << "floxd writes to it";
    EXPECT_TRUE(fs::exists(views.whole() / "new"));
  });
}

// As crun does: it binds, makes the places of the mounts that follow, and only then applies "ro".
TEST_F(StoreViewsTest, AMountBelowTheStoreOrAVolumeMakesNoEntryInTheStore) {
  in_mount_namespace([&] {
    StoreViews views(store_, node_directory());
    for (const fs::path& source : {views.whole(), views.whole() / name_}) {
      const fs::path target = temp_.path() / "container";
      fs::create_directories(target);
      ASSERT_EQ(::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr), 0);
      EXPECT_EQ(::mkdir((target / "scratch").c_str(), 0755), -1);
      EXPECT_EQ(errno, EROFS);
      EXPECT_EQ(::open((target / "scratch").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), -1);
      EXPECT_EQ(errno, EROFS);
      ASSERT_EQ(::umount2(target.c_str(), MNT_DETACH), 0);
    }
    EXPECT_FALSE(fs::exists(store_.store_directory() / "scratch"));
    EXPECT_FALSE(fs::exists(store_.store_directory() / name_ / "scratch"));
  });
}

TEST_F(StoreViewsTest, AFloxdThatStartsAgainFindsTheMount) {
  in_mount_namespace([&] {
    for (int start = 0; start < 3; ++start) StoreViews(store_, node_directory()).whole();
    EXPECT_EQ(mounts_at(node_directory() / "store"), 1U);
  });
}

TEST_F(StoreViewsTest, OfAnotherStoreOrAWritableMountNothingIsLeft) {
  in_mount_namespace([&] {
    const fs::path place = node_directory() / "store";
    fs::create_directories(place);
    ASSERT_EQ(::mount("tmpfs", place.c_str(), "tmpfs", 0, ""), 0);
    EXPECT_TRUE(fs::exists(StoreViews(store_, node_directory()).whole() / name_));
    EXPECT_EQ(mounts_at(place), 1U);
    ASSERT_EQ(::mount(nullptr, place.c_str(), nullptr, MS_BIND | MS_REMOUNT, nullptr), 0);
    StoreViews(store_, node_directory()).whole();
    EXPECT_EQ(::mkdir((place / "new").c_str(), 0755), -1);
  });
}

TEST_F(StoreViewsTest, AViewThatSomebodyElseMakesUpHasItsEntriesOverFurtherLayersAndNothingElse) {
  in_mount_namespace([&] {
    const std::string late = "00000000000000000000000000000000-late", script = late + ".sh",
                      link = late + ".link";
    const fs::path layer = temp_.path() / "layer";
    fs::create_directories(layer / ("7." + late));
    write_file(layer / ("7." + late) / "file", "late");
    write_file(layer / ("8." + script), "script");
    write_file(layer / "9.another-pods", "private");
    const nix::StorePath present = nix::StorePath::from_base_name(name_);
    StoreViews views(store_, node_directory());
    views.begin("lazy-x", {StoreViews::entry_of(store_.real_path(present)),
                           {.name = late, .mode = S_IFDIR | 0555, .redirect = "/7." + late},
                           {.name = script, .mode = S_IFREG | 0555, .size = 6, .redirect = "/8." + script},
                           {.name = link, .mode = S_IFLNK | 0777, .target = "there"}});
    EXPECT_FALSE(views.has("lazy-x"));
    const StoreViews::View view = views.show_made("lazy-x", {store_.store_directory(), layer}, {present});
    EXPECT_TRUE(views.has("lazy-x"));
    EXPECT_EQ(read_file(view.directory / name_ / "file"), "text");
    EXPECT_EQ(read_file(view.directory / late / "file"), "late");
    EXPECT_EQ(read_file(view.directory / script), "script");
    EXPECT_EQ(fs::read_symlink(view.directory / link), "there");
    EXPECT_EQ(std::distance(fs::directory_iterator(view.directory), fs::directory_iterator()), 4);
    EXPECT_EQ(::mkdir((view.directory / "new").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(store::leased_paths(store_, StoreViews::holder_of("lazy-x")), nix::StorePathSet{present});
    EXPECT_TRUE(StoreViews(store_, node_directory()).find("lazy-x")) << "the next floxd does not know it";
    views.sweep({}, std::chrono::seconds(0));
    EXPECT_FALSE(views.has("lazy-x"));
    EXPECT_FALSE(views.find("lazy-x"));
    EXPECT_TRUE(store::leased_paths(store_, StoreViews::holder_of("lazy-x")).empty());
    EXPECT_FALSE(fs::exists(views.directory_of("lazy-x")));
  });
}

TEST_F(StoreViewsTest, AContainerOfAnEarlierFloxdHasTheWholeStoreToo) {
  StoreViews views(store_, node_directory());
  EXPECT_TRUE(views.is_whole(node_directory() / "store"));
  EXPECT_TRUE(views.is_whole(store_.store_directory()));
  EXPECT_FALSE(views.is_whole("/elsewhere"));
}

}  // namespace
}  // namespace flox::node
