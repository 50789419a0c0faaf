// Garbage collection, beside Nix and beside others at work.
#include "store/gc/gc.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "store/gc/gc_lock.h"
#include "store/gc/last_use.h"
#include "store/gc/lease.h"
#include "store/gc/link_root.h"
#include "store/gc/roots.h"
#include "store/local/temp_roots.h"
#include "store/maintenance/verify.h"

namespace flox::store {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class GcTest : public testing::Test {
 protected:
  // A path of one file that names the references.
  StorePath add(const std::string& name, const StorePathSet& references = {}, size_t bytes = 10) const {
    // No other test has such a path open.
    std::string text = name + temp_.path().string() + std::string(bytes, '.');
    for (const StorePath& reference : references) text += "\n" + reference.to_string();
    const fs::path tree = temp_.path() / "trees" / name;
    fs::create_directories(tree / "share");
    write_file(tree / "share/text", text);
    return LocalStore(root()).add_tree(tree, name, references).path;
  }
  GcResult collect(const GcOptions& options = {}) const {
    LocalStore store(root());
    return collect_garbage(store, options);
  }
  bool is_there(const StorePath& path) const {
    const LocalStore store(root());
    const bool valid = store.is_valid(path);
    EXPECT_EQ(valid, fs::exists(store.real_path(path))) << path.to_string();
    return valid;
  }
  // When a path was last used, in seconds before now.
  void age(const StorePath& path, int64_t seconds) const {
    run_checked({.argv = {"sqlite3", (root() / "nix/var/nix/db/db.sqlite").string(),
                          fmt::format("update ValidPaths set registrationTime = {} where path = '{}'",
                                      std::time(nullptr) - seconds, path.to_string())},
                 .env = {},
                 .cwd = {},
                 .input = {}});
  }
  void link(const fs::path& link, const fs::path& target) const {
    fs::create_directories(link.parent_path());
    fs::create_symlink(target, link);
  }
  fs::path root() const { return temp_.path() / "root"; }
  fs::path state() const { return root() / "nix/var/nix"; }
  fs::path store_directory() const { return root() / "nix/store"; }
  TempDir temp_;
};

TEST_F(GcTest, what_roots_reach_stays_and_the_rest_goes) {
  const StorePath base = add("base");
  const StorePath app = add("app", {base});
  const StorePath indirect = add("indirect");
  const StorePath profile = add("profile");
  const StorePath leased = add("leased");
  const StorePath stray = add("stray", {base});
  link(state() / "gcroots/mine", app.to_string() + "/share");
  link(temp_.path() / "result", indirect.to_string());
  link(state() / "gcroots/auto/11111111111111111111111111111111", temp_.path() / "result");
  link(state() / "gcroots/auto/stale", temp_.path() / "nowhere");
  link(state() / "profiles/default-1-link", store_directory() / profile.base_name());
  link(state() / "profiles/default", "default-1-link");
  add_lease(LocalStore(root()), "pod", {leased});

  const GcResult result = collect();
  EXPECT_THAT(result.removed, ElementsAre(stray));
  EXPECT_EQ(result.paths_kept, 5u);
  EXPECT_GT(result.bytes_freed, 0u);
  EXPECT_FALSE(is_there(stray));
  for (const StorePath& path : {base, app, indirect, profile, leased}) EXPECT_TRUE(is_there(path));
  EXPECT_FALSE(fs::exists(fs::symlink_status(state() / "gcroots/auto/stale")));

  fs::remove(temp_.path() / "result");
  release_lease(LocalStore(root()), "pod");
  EXPECT_EQ(collect().removed.size(), 2u);
  EXPECT_TRUE(fs::is_empty(state() / "flox/trash"));
}

TEST_F(GcTest, a_root_that_cannot_be_read_stops_the_collection) {
  const StorePath path = add("a");
  // A link whose target's parent is a file cannot lead anywhere; one through a loop cannot be known.
  link(temp_.path() / "loop", temp_.path() / "loop");
  link(state() / "gcroots/odd", temp_.path() / "loop/result");
  EXPECT_THROW(collect(), Error);
  EXPECT_TRUE(is_there(path));
}

TEST_F(GcTest, what_a_process_works_with_stays_until_it_ends) {
  const StorePath base = add("base");
  const StorePath app = add("app", {base});
  {
    const LocalStore user(root());
    user.add_temp_roots({app});
    EXPECT_THAT(collect().removed, IsEmpty());
    // Another process with our id, in a PID namespace of its own, takes the name away.
    for (const auto& file : fs::directory_iterator(state() / "temproots")) fs::remove(file.path());
    EXPECT_THAT(collect().removed, IsEmpty());
    EXPECT_TRUE(is_there(base));
  }
  EXPECT_EQ(collect().removed.size(), 2u);
}

TEST_F(GcTest, the_file_of_a_dead_process_counts_no_more) {
  const StorePath path = add("a");
  write_file(state() / "temproots/12345", path.to_string() + '\0');
  collect();
  EXPECT_FALSE(is_there(path));
  EXPECT_FALSE(fs::exists(state() / "temproots/12345"));
}

TEST_F(GcTest, what_a_process_has_open_stays) {
  const StorePath path = add("a");
  const Fd fd = open_file(LocalStore(root()).real_path(path) / "share/text", O_RDONLY);
  EXPECT_THAT(collect().removed, IsEmpty());
  const auto roots = runtime_roots(LocalStore(root()).references());
  ASSERT_FALSE(roots.empty());
  EXPECT_THAT(roots[0].source, HasSubstr("/fd/"));
}

TEST_F(GcTest, a_path_that_is_announced_while_it_collects_stays_with_its_closure) {
  const StorePath base = add("base");
  const StorePath lib = add("lib", {base});
  const StorePath app = add("app", {lib});
  const StorePath stray = add("stray");
  std::optional<LocalStore> user;
  const GcResult result = collect({.before_batch = [&] {
    user.emplace(root());
    user->add_temp_roots({app});
    return true;
  }});
  EXPECT_THAT(result.removed, ElementsAre(stray));
  for (const StorePath& path : {base, lib, app}) EXPECT_TRUE(is_there(path));
}

TEST_F(GcTest, a_path_that_is_registered_while_it_collects_keeps_what_it_refers_to) {
  const StorePath base = add("base");
  const StorePath stray = add("stray");
  std::optional<StorePath> fresh;
  collect({.before_batch = [&] {
    fresh = add("fresh", {base});
    return true;
  }});
  EXPECT_FALSE(is_there(stray));
  EXPECT_TRUE(is_there(base));
  EXPECT_TRUE(is_there(*fresh));
}

TEST_F(GcTest, the_longest_unused_goes_first_and_max_freed_stops) {
  const StorePath old = add("old", {}, 100'000);
  const StorePath middle = add("middle", {}, 100'000);
  const StorePath fresh = add("fresh", {}, 100'000);
  age(old, 300);
  age(middle, 200);
  age(fresh, 100);
  {
    const LocalStore store(root());
    add_lease(store, "pod", {old});
    release_lease(store, "pod");  // used just now
  }
  EXPECT_THAT(collect({.max_freed = 1}).removed, ElementsAre(middle));
  EXPECT_THAT(collect({.max_freed = 150'000}).removed, ElementsAre(fresh, old));
  EXPECT_TRUE(fs::is_empty(state() / "flox/last-used"));
}

TEST_F(GcTest, what_a_recently_used_path_refers_to_counts_as_used) {
  const StorePath base = add("base");
  const StorePath app = add("app", {base});
  const StorePath stray = add("stray");
  for (const StorePath& path : {base, app, stray}) age(path, 1000);
  record_use(LocalStore(root()), {app});
  EXPECT_THAT(collect({.keep_newer = std::chrono::seconds(500)}).removed, ElementsAre(stray));
  EXPECT_TRUE(is_there(base));
}

TEST_F(GcTest, a_dry_run_says_what_would_go_and_changes_nothing) {
  const StorePath base = add("base");
  const StorePath app = add("app", {base});
  const GcResult result = collect({.dry_run = true});
  EXPECT_THAT(result.removed, ElementsAre(app, base));
  EXPECT_GT(result.nar_bytes, 0u);
  EXPECT_EQ(result.bytes_freed, 0u);
  EXPECT_TRUE(is_there(app));
}

TEST_F(GcTest, litter_goes_but_not_what_belongs_to_somebody) {
  const StorePath kept = add("kept");
  link(state() / "gcroots/kept", kept.to_string());
  const fs::path store = store_directory();
  const std::string digest(32, '1');
  const std::string announced(32, '2');
  fs::create_directories(store / (digest + "-half-made/share"));
  write_file(store / (digest + "-half-made.lock"), "");
  fs::create_directories(store / "foreign/x");
  fs::create_directories(store / "tmp-dead");
  fs::create_directories(store / "tmp-alive");
  fs::create_directories(store / (announced + "-being-made"));
  write_file(store / (announced + "-being-made.lock"), "");
  write_file(store / ".links/unused", "x");
  const Fd alive = open_file(store / "tmp-alive", O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(alive.get(), LOCK_EX), 0);
  TempRoots maker(state());
  maker.add({StorePath::from_base_name(announced + "-being-made")});

  const GcResult result = collect();
  EXPECT_EQ(result.litter, 4u);
  EXPECT_EQ(result.links_removed, 1u);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(store)) names.push_back(entry.path().filename());
  EXPECT_THAT(
      names, testing::UnorderedElementsAre(".links", "tmp-alive", kept.base_name(), announced + "-being-made",
                                           announced + "-being-made.lock"));
}

TEST_F(GcTest, the_last_name_of_a_shared_file_goes_with_the_last_path) {
  const StorePath path = add("a", {}, 100'000);
  const fs::path file = LocalStore(root()).real_path(path) / "share/text";
  fs::create_hard_link(file, store_directory() / ".links/link");
  const GcResult result = collect();
  EXPECT_GE(result.bytes_freed, 100'000u);
  EXPECT_EQ(result.links_removed, 1u);
}

TEST_F(GcTest, only_one_collector_works_at_a_time_and_nobody_else_is_kept_waiting) {
  const StorePath a = add("a");
  std::optional<StorePath> added;
  GcResult second;
  collect({.before_batch = [&] {
    added = add("b");  // waits for no lock of the collector's
    return true;
  }});
  EXPECT_FALSE(is_there(a));
  EXPECT_TRUE(added.has_value());
  std::vector<std::jthread> collectors;
  std::atomic<int> at_work = 0;
  for (int i = 0; i < 20; ++i) add("many-" + std::to_string(i));
  for (int i = 0; i < 3; ++i)
    collectors.emplace_back([&] {
      collect({.before_batch = [&] {
        EXPECT_EQ(++at_work, 1);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        --at_work;
        return true;
      }});
    });
  collectors.clear();
  EXPECT_THAT(LocalStore(root()).valid_paths(), IsEmpty());
}

TEST_F(GcTest, killed_at_any_moment_it_leaves_no_valid_path_without_files_and_the_next_one_finishes) {
  std::vector<StorePath> paths;
  for (int round = 0; round < 12; ++round) {
    StorePathSet fresh;
    for (int i = 0; i < 20; ++i) fresh.insert(add(fmt::format("path-{}-{}", round, i), {}, 20'000));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(STDERR_FILENO);
      collect();
      ::_exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(700 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const LocalStore store(root());
    for (const StorePath& path : store.valid_paths()) EXPECT_TRUE(fs::exists(store.real_path(path)));
    EXPECT_THAT(verify(store), IsEmpty());
  }
  collect();
  EXPECT_THAT(LocalStore(root()).valid_paths(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(state() / "flox/trash"));
}

// A collector that waited for it would hold gc.lock for ever, and with it every realisation.
TEST_F(GcTest, nobody_who_reads_no_answers_keeps_the_collector) {
  const LocalStore store(root());
  const fs::path socket = store.state_directory() / "gc-socket/socket";
  const auto connect = [&] {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail_errno(errno, "connecting");
    return fd;
  };
  const auto gc_lock = std::make_unique<GcLock>(store);
  EXPECT_EQ(fs::status(socket).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const Fd deaf = connect();
  const std::string line = "/nix/store/" + std::string(32, '0') + "-x\n";
  std::string lines;
  for (int i = 0; i < 20'000; ++i) lines += line;
  for (size_t sent = 0; sent < 16 * lines.size();) {
    const ssize_t count = ::send(deaf.get(), lines.data(), lines.size(), MSG_NOSIGNAL);
    if (count <= 0) break;  // given up on
    sent += static_cast<size_t>(count);
  }
  const Fd other = connect();
  ASSERT_EQ(::send(other.get(), line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
  char answer = 0;
  ASSERT_EQ(::recv(other.get(), &answer, 1, 0), 1);
  EXPECT_EQ(answer, '1');
}

TEST_F(GcTest, keeps_what_somebodys_own_link_leads_to_while_the_link_is_there) {
  const StorePath profile = add("profile"), newer = add("newer");
  const fs::path project = temp_.path() / "project";
  fs::create_directories(project);
  fs::create_symlink(profile.to_string(), project / "link");
  keep_link(LocalStore(root()), project / "link");
  collect();
  EXPECT_TRUE(is_there(profile));
  EXPECT_FALSE(is_there(newer));
  fs::remove(project / "link");
  collect({.dry_run = true});
  EXPECT_TRUE(is_there(profile));
  collect();
  EXPECT_FALSE(is_there(profile));
  EXPECT_TRUE(permanent_roots(LocalStore(root())).empty());
}

TEST_F(GcTest, keeps_it_also_when_the_link_was_moved_and_not_when_it_was_replaced) {
  const StorePath old = add("old"), profile = add("profile");
  const fs::path project = temp_.path() / "project", moved = temp_.path() / "moved";
  fs::create_directories(project);
  for (const StorePath& target : {old, profile}) {
    fs::create_symlink(target.to_string(), project / "new");
    fs::rename(project / "new", project / "link");
    keep_link(LocalStore(root()), project / "link");
    keep_link(LocalStore(root()), project / "link");
  }
  fs::rename(project, moved);
  collect();
  EXPECT_FALSE(is_there(old));
  EXPECT_TRUE(is_there(profile));
  // A further environment where the moved one was.
  const StorePath other = add("other");
  fs::create_directories(project);
  fs::create_symlink(other.to_string(), project / "link");
  keep_link(LocalStore(root()), project / "link");
  collect();
  EXPECT_TRUE(is_there(profile));
  EXPECT_TRUE(is_there(other));
  fs::remove_all(moved);
  collect();
  EXPECT_FALSE(is_there(profile));
  EXPECT_TRUE(is_there(other));
}

}  // namespace
}  // namespace flox::store
