#include "lazy/control.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::lazy {
namespace {

const nix::StorePath path_x = nix::StorePath::from_base_name("00000000000000000000000000000000-x");

MountPlan empty_plan() { return {.directory = "/mnt", .caches = {}, .trusted_keys = {}, .further = true}; }

// A mount's files, and a server of them that is never mounted. Both live as long as the process.
const TempDir& served_files() {
  static const TempDir files;
  static ServedPaths* const paths = [] {
    write_mount_files(Directory(files.path()), empty_plan(), {});
    auto* const made = new ServedPaths(Directory(files.path()), read_mount_plan(Directory(files.path())));
    serve_control(files.path(), *made, [] { write_file(files.path() / "ended", ""); });
    return made;
  }();
  static_cast<void>(paths);
  return files;
}

MountControl control() { return {served_files().path(), std::chrono::milliseconds(0)}; }

TEST(LazyControlTest, AsksAboutPathsThatAreNotInTheMount) {
  EXPECT_EQ(control().slots({path_x}), std::vector<uint32_t>{0});
  EXPECT_EQ(control().slots({}), std::vector<uint32_t>{});
  EXPECT_NO_THROW(control().drop({path_x}));
  EXPECT_NO_THROW(control().use_store({path_x}, "/nowhere"));
  EXPECT_TRUE(control().retry({path_x}, std::chrono::milliseconds(10)).empty());
  EXPECT_EQ(control().status({}).paths, 0u);
}

TEST(LazyControlTest, MoreNamesThanARequestHasAreAskedForInParts) {
  EXPECT_EQ(control().slots(std::vector(most_control_names * 2 + 1, path_x)).size(),
            most_control_names * 2 + 1);
}

TEST(LazyControlTest, WhatCannotBeAddedIsAnErrorOfItsKind) {
  try {
    control().add({path_x});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
  }
}

TEST(LazyControlTest, TheMountEndsAfterTheAnswer) {
  control().end();
  for (int i = 0; i < 1000 && !fs::exists(served_files().path() / "ended"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(fs::exists(served_files().path() / "ended"));
}

TEST(LazyControlTest, ARequestThatCannotBeIsAnsweredWithWhatIsWrong) {
  const TempDir files;
  ServedPaths paths(Directory(files.path()), empty_plan());
  const auto names = nlohmann::json(std::vector<std::string>(most_control_names + 1, "x")).dump();
  bool ends = false;
  for (const std::string& request :
       {std::string("{"), std::string("{}"), std::string("[]"), std::string(R"({"add": 1})"),
        std::string(R"({"add": [1]})"), std::string(R"({"add": ["../x"]})"), R"({"slots": )" + names + "}",
        std::string(R"({"use_store": []})"), std::string(R"({"retry": [], "milliseconds": -1})")})
    EXPECT_TRUE(nlohmann::json::parse(answer_control(paths, request, ends)).contains("error")) << request;
  EXPECT_FALSE(ends);
}

TEST(LazyControlTest, AServerThatIsNotThereIsWaitedForAndThenAnError) {
  const TempDir files;
  EXPECT_THROW(MountControl(files.path(), std::chrono::milliseconds(50)).slots({path_x}), Error);
}

TEST(MountFilesTest, RemembersWhatAMountWasGiven) {
  const TempDir dir;
  const Directory files(dir.path());
  EXPECT_EQ(take_slot(files), 1u);
  EXPECT_EQ(take_slot(files), 2u);
  files.make_directory(path_x.base_name(), 0700);
  EXPECT_TRUE(read_given_paths(files).empty());
  write_given_path(files, {.path = path_x, .slot = 2});
  ASSERT_EQ(read_given_paths(files).size(), 1u);
  EXPECT_EQ(read_given_paths(files)[0].slot, 2u);
  EXPECT_EQ(read_given_paths(files)[0].whole, "");
  write_given_path(files, {.path = path_x, .slot = 2, .whole = "/nix/store"});
  EXPECT_EQ(read_given_paths(files)[0].whole, "/nix/store");
  remove_given_path(files, path_x);
  EXPECT_TRUE(read_given_paths(files).empty());
  EXPECT_EQ(take_slot(files), 3u);
  files.write_file("last-slot", "0");
  EXPECT_THROW(take_slot(files), Error);
}

}  // namespace
}  // namespace flox::lazy
