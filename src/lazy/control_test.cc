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
  EXPECT_TRUE(control().wanted(path_x).empty());
  const MountWaits waits = control().waits();
  EXPECT_NE(waits.server, 0u);
  EXPECT_EQ(waits.counts, decltype(waits.counts){});
  std::vector<store::FileRange> many(3'000, store::FileRange{std::string(100, 'x'), 0, 10});
  many.push_back({std::string(most_control, 'x'), 0, 10});
  EXPECT_NO_THROW(control().want_soon(path_x, many));
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
  write_mount_files(Directory(files.path()), empty_plan(), {});
  ServedPaths paths(Directory(files.path()), empty_plan());
  const auto names = nlohmann::json(std::vector<std::string>(most_control_names + 1, "x")).dump();
  bool ends = false;
  for (const std::string& request :
       {std::string("{"), std::string("{}"), std::string("[]"), std::string(R"({"add": 1})"),
        std::string(R"({"add": [1]})"), std::string(R"({"add": ["../x"]})"), R"({"slots": )" + names + "}",
        std::string(R"({"use_store": []})"), std::string(R"({"wanted": "x"})"),
        R"({"soon": ")" + std::string(path_x.base_name()) + R"(", "ranges": [["x", 1]]})",
        std::string(R"({"retry": [], "milliseconds": -1})")})
    EXPECT_TRUE(nlohmann::json::parse(answer_control(paths, request, ends)).contains("error")) << request;
  EXPECT_FALSE(ends);
}

TEST(LazyControlTest, AServerThatIsNotThereIsWaitedForAndThenAnError) {
  const TempDir files;
  EXPECT_THROW(MountControl(files.path(), std::chrono::milliseconds(50)).slots({path_x}), Error);
}

TEST(MountFilesTest, FilesOfAnotherVersionAreRefused) {
  const TempDir dir;
  const Directory files(dir.path());
  write_mount_files(files, empty_plan(), {});
  EXPECT_TRUE(read_mount_plan(files).further);
  std::string text = read_file(dir.path() / "mount.json");
  const std::string format = "\"format\":2";
  ASSERT_NE(text.find(format), std::string::npos);
  write_file(dir.path() / "mount.json", text.replace(text.find(format), format.size(), "\"format\":1"));
  EXPECT_THROW(read_mount_plan(files), Error);
}

TEST(MountFilesTest, RemembersWhatAMountWasGiven) {
  const TempDir dir;
  const Directory files(dir.path());
  EXPECT_EQ(read_given_paths(files).last_slot, 0u);
  write_given_paths(files, {.last_slot = 7, .paths = {{.path = path_x, .slot = 2, .whole = "/nix/store"}}});
  const GivenPaths given = read_given_paths(files);
  EXPECT_EQ(given.last_slot, 7u);
  ASSERT_EQ(given.paths.size(), 1u);
  EXPECT_EQ(given.paths[0].path, path_x);
  EXPECT_EQ(given.paths[0].slot, 2u);
  EXPECT_EQ(given.paths[0].whole, "/nix/store");
  for (const char* text : {"{", "{}", R"({"last": -1, "paths": []})", R"({"last": 1, "paths": [1]})",
                           R"({"last": 1, "paths": [["x", 1, ""]]})"}) {
    files.write_file("slots.json", text);
    EXPECT_THROW(read_given_paths(files), Error) << text;
  }
}

}  // namespace
}  // namespace flox::lazy
