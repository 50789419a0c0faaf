#include "lazy/served_paths.h"

#include <future>

#include "lazy/path_tree.h"
#include "lazy/testing/published_mount.h"

namespace flox::lazy {
namespace {

// The mount's server is here.
class ServedPathsTest : public PublishedMount {
 protected:
  ServedPathsTest() {
    fs::create_directories(temp_.path() / "files");
    write_mount_files(files(), plan(server_url()), {});
    begin();
  }
  Directory files() const { return Directory(temp_.path() / "files"); }
  void begin() {
    served_.reset();
    served_.emplace(files(), read_mount_plan(files()));
  }
  std::shared_ptr<const MountedPath> add() {
    RemotePaths remote = this->remote(read_mount_plan(files()));
    for (const RemotePath& path : remote.find({*base_})) write_remote_path(files(), path);
    return served_->mounted().by_slot(served_->add({*base_}).at(0));
  }
  bool has(const std::string& kind) const {
    return files().exists(kind + "/" + std::string(base_->base_name()));
  }
  static std::future<int> want(const MountedPath& path) {
    const auto done = std::make_shared<std::promise<int>>();
    path.contents->want(file_of(path), 0, 100, [done](int error) { done->set_value(error); });
    return done->get_future();
  }
  static std::string read(const MountedPath& path) {
    std::string text(100, '\0');
    text.resize(path.contents->read(file_of(path), 0, text.data(), text.size()));
    return text;
  }
  static uint32_t file_of(const MountedPath& path) { return path.tree->find("share/text")->file; }

  std::optional<ServedPaths> served_;
};

TEST_F(ServedPathsTest, APathThatIsAddedAgainIsReadWhateverIsOnItsWayForThePathThatWasDropped) {
  std::promise<void> asked, may_come;
  std::atomic<int> parts = 0;
  on_part_ = [&] {
    if (parts++ > 0) return;
    asked.set_value();
    may_come.get_future().wait();
  };
  const auto first = add();
  auto late = want(*first);
  asked.get_future().wait();
  served_->drop({*base_});
  const auto second = add();
  may_come.set_value();
  late.wait();
  EXPECT_FALSE(has("parts"));
  EXPECT_EQ(want(*second).get(), 0);
  EXPECT_EQ(read(*second), std::string(100, 'b'));
}

// As on a full disk.
TEST_F(ServedPathsTest, WhatCameIsRemovedEvenWhenNothingCanBeWritten) {
  EXPECT_EQ(want(*add()).get(), 0);
  EXPECT_TRUE(has("parts"));
  const fs::path slots = temp_.path() / "files/slots.json";
  fs::rename(slots, temp_.path() / "slots.json");
  fs::create_directories(slots / "in the way");
  EXPECT_THROW(served_->drop({*base_}), Error);
  EXPECT_FALSE(has("parts"));
  EXPECT_TRUE(has("known"));
  fs::remove_all(slots);
  fs::rename(temp_.path() / "slots.json", slots);

  begin();  // a successor has it still
  EXPECT_NE(served_->slot_of(*base_), 0u);
  EXPECT_EQ(want(*served_->mounted().by_slot(served_->slot_of(*base_))).get(), 0);

  fs::rename(slots, temp_.path() / "slots.json");
  fs::create_directories(slots / "in the way");
  EXPECT_THROW(served_->drop({*base_}), Error);
  fs::remove_all(slots);
  served_->drop({*base_});  // once more
  EXPECT_FALSE(has("known"));
  begin();
  EXPECT_EQ(served_->slot_of(*base_), 0u);
}

}  // namespace
}  // namespace flox::lazy
