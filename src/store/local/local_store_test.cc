// The local store, with Debian's Nix as the oracle.
#include "store/local/local_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "store/testing/nix_programs.h"
#include "testing/names_in.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string placeholder(32, 'z');

class LocalStoreTest : public testing::Test {
 protected:
  // Runs a Nix program on the store, away from the machine's own settings and caches.
  Outcome nix(std::vector<std::string> argv) const {
    argv.insert(argv.begin() + 1, {"--store", root().string()});
    return run_nix(std::move(argv), temp_.path());
  }
  fs::path root() const { return temp_.path() / "root"; }
  // A tree of one file, with the text.
  fs::path tree(const std::string& name, const std::string& text) const {
    const fs::path path = temp_.path() / "trees" / name;
    fs::create_directories(path / "bin");
    write_file(path / "bin/run", text, 0755);
    return path;
  }

  TempDir temp_;
};

TEST_F(LocalStoreTest, an_added_tree_has_the_path_that_nix_gives_it) {
  LocalStore store(root());
  const PathInfo info = store.add_tree(tree("a", "echo a\n"), "thing", {});
  const Outcome nix_add =
      nix({"nix", "store", "add-path", (temp_.path() / "trees/a").string(), "--name", "thing"});
  EXPECT_EQ(nix_add.out, info.path.to_string() + "\n") << nix_add.err;
  EXPECT_TRUE(store.is_valid(info.path));
  EXPECT_EQ(store.query(info.path)->content_address, info.content_address);
  EXPECT_THAT(names_in(store.store_directory()), ElementsAre(".links", info.path.base_name()));
  EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
}

TEST_F(LocalStoreTest, nix_finds_nothing_wrong_with_references_and_self_references) {
  LocalStore store(root());
  const PathInfo lib = store.add_tree(tree("lib", "lib"), "lib", {});
  const PathInfo other = store.add_tree(tree("other", "other"), "other", {});
  const fs::path app =
      tree("app", "run " + lib.path.to_string() + "/bin/run /nix/store/" + placeholder + "-app/etc\n");
  fs::create_symlink("/nix/store/" + placeholder + "-app/bin/run", app / "link");
  const PathInfo info = store.add_tree(app, "app", {lib.path, other.path}, placeholder);

  EXPECT_EQ(info.references, (StorePathSet{lib.path, info.path}));
  EXPECT_EQ(fs::read_symlink(store.real_path(info.path) / "link"), info.path.to_string() + "/bin/run");
  EXPECT_EQ(read_file(store.real_path(info.path) / "bin/run"),
            "run " + lib.path.to_string() + "/bin/run " + info.path.to_string() + "/etc\n");
  EXPECT_EQ(store.closure({info.path}), (StorePathSet{lib.path, info.path}));
  EXPECT_EQ(store.closure_size({info.path, lib.path}), info.nar_size + lib.nar_size);

  const Outcome verify = nix({"nix-store", "--verify", "--check-contents"});
  EXPECT_EQ(verify.exit_code, 0) << verify.err;
  EXPECT_THAT(verify.err, testing::Not(HasSubstr("error")));
  // "verify" without keys accepts a path only if its content address proves it, self-references and all.
  const Outcome proven = nix({"nix", "store", "verify", info.path.to_string(), lib.path.to_string()});
  EXPECT_EQ(proven.exit_code, 0) << proven.err;
  const auto json = nlohmann::json::parse(nix({"nix", "path-info", "--json", info.path.to_string()}).out);
  EXPECT_EQ(json[0]["narHash"].get<std::string>().substr(0, 7), "sha256-");
  EXPECT_EQ(nix::parse_hash(json[0]["narHash"].get<std::string>()), info.nar_hash);
  EXPECT_EQ(json[0]["narSize"], info.nar_size);
  EXPECT_EQ(json[0]["ca"], info.content_address.value().to_string());
}

TEST_F(LocalStoreTest, we_read_what_nix_wrote) {
  write_file(temp_.path() / "hello.txt", "hello\n");
  const std::string path = nix({"nix-store", "--add", (temp_.path() / "hello.txt").string()}).out;
  const StorePath added = StorePath::parse(path.substr(0, path.size() - 1));
  const LocalStore store(root());
  const auto info = store.query(added);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->nar_size, 120u);
  EXPECT_EQ(added.base_name(), "i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");
}

TEST_F(LocalStoreTest, adding_the_same_again_gives_the_same_and_writes_nothing) {
  LocalStore store(root());
  const PathInfo first = store.add_tree(tree("a", "x" + placeholder), "a", {}, placeholder);
  struct stat before {
  }, after{};
  ::stat(store.real_path(first.path).c_str(), &before);
  EXPECT_EQ(store.add_tree(tree("a", "x" + placeholder), "a", {}, placeholder).path, first.path);
  ::stat(store.real_path(first.path).c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

TEST_F(LocalStoreTest, added_files_lose_times_owners_modes_and_hard_links) {
  LocalStore store(root());
  const fs::path source = tree("a", "x");
  write_file(source / "odd", "y", 04611);
  fs::create_hard_link(source / "odd", source / "twin");
  const PathInfo info = store.add_tree(source, "a", {});
  struct stat status {};
  ASSERT_EQ(::stat((store.real_path(info.path) / "odd").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0444u);
  EXPECT_EQ(status.st_mtim.tv_sec, 1);
  EXPECT_EQ(status.st_nlink, 1u);
  EXPECT_TRUE(fs::exists(source / "odd"));
}

TEST_F(LocalStoreTest, many_threads_adding_the_same_tree_agree) {
  LocalStore store(root());
  const fs::path source = tree("a", std::string(300'000, 'q') + placeholder);
  std::vector<std::optional<PathInfo>> results(6);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results)
      threads.emplace_back([&] { result = store.add_tree(source, "a", {}, placeholder); });
  }
  for (const auto& result : results) EXPECT_EQ(result.value().path, results[0]->path);
  EXPECT_EQ(nix({"nix-store", "--verify", "--check-contents"}).exit_code, 0);
  EXPECT_THAT(names_in(store.store_directory()), ElementsAre(".links", results[0]->path.base_name()));
}

TEST_F(LocalStoreTest, a_tree_that_a_killed_process_left_in_the_store_is_replaced) {
  LocalStore store(root());
  const fs::path source = tree("a", "x");
  const PathInfo info = LocalStore(temp_.path() / "elsewhere").add_tree(source, "a", {});
  fs::create_directories(store.real_path(info.path) / "half");
  EXPECT_FALSE(store.is_valid(info.path));
  store.add_tree(source, "a", {});
  EXPECT_FALSE(fs::exists(store.real_path(info.path) / "half"));
  EXPECT_EQ(nix({"nix-store", "--verify", "--check-contents"}).exit_code, 0);
}

// Neighbouring ids are read as one range, in which others' ids may lie.
TEST_F(LocalStoreTest, a_closure_is_the_same_whatever_ids_its_paths_have) {
  LocalStore store(root());
  std::vector<StorePath> paths;
  for (int i = 0; i < 60; ++i) {
    std::string text = fmt::format("number {}", i);
    StorePathSet references;
    // Three chains, of every second, seventh and thirteenth path before.
    for (const int step : {2, 7, 13}) {
      if (i % 3 != step % 3 || i < step) continue;
      references.insert(paths[static_cast<size_t>(i - step)]);
      text += " needs " + paths[static_cast<size_t>(i - step)].to_string();
    }
    paths.push_back(
        store.add_tree(tree(std::to_string(i), text), fmt::format("path-{}", i), references).path);
  }
  for (size_t i = 3; i < paths.size(); i += 4) {  // Nix takes longer to start than to answer
    const StorePath& path = paths[i];
    StorePathSet theirs;
    const std::string listed = nix({"nix-store", "-qR", path.to_string()}).out;
    for (size_t start = 0; start < listed.size(); start = listed.find('\n', start) + 1)
      theirs.insert(StorePath::parse(listed.substr(start, listed.find('\n', start) - start)));
    EXPECT_EQ(store.closure({path}), theirs) << path.to_string();
  }
}

TEST_F(LocalStoreTest, a_path_whose_reference_is_missing_is_not_registered_and_leaves_nothing) {
  LocalStore store(root());
  const PathInfo lib = LocalStore(temp_.path() / "elsewhere").add_tree(tree("lib", "lib"), "lib", {});
  const fs::path app = tree("app", lib.path.to_string());
  try {
    store.add_tree(app, "app", {lib.path});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(lib.path.to_string() + " is not in the store"));
  }
  EXPECT_THAT(names_in(store.store_directory()), ElementsAre(".links"));
  EXPECT_THROW(store.closure({lib.path}), Error);
}

TEST_F(LocalStoreTest, circles_and_changed_contents_are_refused) {
  LocalStore store(root());
  const PathInfo a = store.add_tree(tree("a", "a"), "a", {});
  PathInfo x{.path = StorePath::from_base_name(std::string(32, '1') + "-x")};
  PathInfo y{.path = StorePath::from_base_name(std::string(32, '2') + "-y")};
  x.nar_size = y.nar_size = 1;
  x.references = {y.path};
  y.references = {x.path, y.path};
  EXPECT_THROW(store.register_valid({x, y}), Error);
  EXPECT_FALSE(store.is_valid(x.path));
  PathInfo changed = a;
  changed.nar_hash[0] ^= 1;
  EXPECT_THROW(store.register_valid({changed}), Error);
}

TEST_F(LocalStoreTest, signatures_gather_without_repetition) {
  LocalStore store(root());
  const PathInfo a = store.add_tree(tree("a", "a"), "a", {});
  store.add_signatures(a.path, {"k:1", "l:2"});
  store.add_signatures(a.path, {"l:2", "m:3"});
  EXPECT_THAT(store.query(a.path)->signatures, ElementsAre("k:1", "l:2", "m:3"));
}

TEST_F(LocalStoreTest, temporary_roots_keep_nix_collector_away_until_the_store_is_closed) {
  std::optional<PathInfo> info;
  {
    LocalStore store(root());
    info = store.add_tree(tree("a", "a"), "a", {});
    const Outcome collect = nix({"nix-store", "--gc"});
    EXPECT_EQ(collect.exit_code, 0) << collect.err;
    EXPECT_TRUE(store.is_valid(info->path));
    EXPECT_TRUE(fs::exists(store.real_path(info->path)));
  }
  EXPECT_THAT(names_in(root() / "nix/var/nix/temproots"), IsEmpty());
  const Outcome collect = nix({"nix-store", "--gc"});
  EXPECT_EQ(collect.exit_code, 0) << collect.err;
  const LocalStore store(root());
  EXPECT_FALSE(store.is_valid(info->path));
  EXPECT_FALSE(fs::exists(store.real_path(info->path)));
}

TEST_F(LocalStoreTest, an_abandoned_build_directory_is_removed_and_a_living_one_is_not) {
  LocalStore store(root());
  const fs::path abandoned = store.scratch_directory() / "tmp-dead";
  fs::create_directories(abandoned / "x");
  LocalStore other(root());
  const fs::path living = other.make_build_directory();
  const fs::path mine = store.make_build_directory();
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(living));
  EXPECT_TRUE(fs::exists(mine));
}

TEST_F(LocalStoreTest, a_database_of_another_schema_is_left_alone) {
  { const LocalStore store(root()); }
  write_file(root() / "nix/var/nix/db/schema", "11");
  try {
    const LocalStore store(root());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.what(), HasSubstr("schema '11'"));
  }
}

TEST_F(LocalStoreTest, a_placeholder_of_the_wrong_length_is_refused) {
  LocalStore store(root());
  EXPECT_THROW(store.add_tree(tree("a", "a"), "a", {}, "zzz"), Error);
  EXPECT_THROW(store.add_tree(temp_.path() / "missing", "a", {}), Error);
  EXPECT_THROW(store.add_tree(tree("a", "a"), "bad name", {}), Error);
}

}  // namespace
}  // namespace flox::store
