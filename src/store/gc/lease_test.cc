#include "store/gc/lease.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "store/testing/nix_programs.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LeaseTest : public testing::Test {
 protected:
  StorePath add(const std::string& name) const {
    write_file(temp_.path() / name, name);
    return LocalStore(root()).add_tree(temp_.path() / name, name, {}).path;
  }
  void collect_garbage() const {
    const Outcome outcome = run_nix({"nix-store", "--store", root().string(), "--gc"}, temp_.path());
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  fs::path root() const { return temp_.path() / "root"; }
  TempDir temp_;
};

TEST_F(LeaseTest, nix_collector_honours_a_lease_until_it_is_released) {
  const StorePath kept = add("kept");
  const StorePath other = add("other");
  add_lease(LocalStore(root()), "pod-1", {kept});
  collect_garbage();
  EXPECT_TRUE(LocalStore(root()).is_valid(kept));
  EXPECT_FALSE(LocalStore(root()).is_valid(other));
  release_lease(LocalStore(root()), "pod-1");
  collect_garbage();
  EXPECT_FALSE(LocalStore(root()).is_valid(kept));
}

TEST_F(LeaseTest, leases_are_listed_by_holder_and_grow) {
  const StorePath a = add("a");
  const StorePath b = add("b");
  const LocalStore store(root());
  add_lease(store, "y", {a});
  add_lease(store, "x", {b});
  add_lease(store, "y", {a, b});
  const auto leases = list_leases(store);
  ASSERT_EQ(leases.size(), 2u);
  EXPECT_EQ(leases[0].holder, "x");
  EXPECT_EQ(leases[1].paths, (StorePathSet{a, b}));
  release_lease(store, "x");
  release_lease(store, "x");
  EXPECT_EQ(list_leases(store).size(), 1u);
}

TEST_F(LeaseTest, loses_single_paths_and_ends_with_its_last_one) {
  const StorePath first = add("first"), second = add("second");
  const LocalStore store(root());
  add_lease(store, "pod", {first, second});
  release_paths(store, "pod", {first});
  EXPECT_EQ(leased_paths(store, "pod"), StorePathSet{second});
  release_paths(store, "pod", {first, second});
  EXPECT_THAT(list_leases(store), IsEmpty());
  release_paths(store, "nobody", {first});
}

TEST_F(LeaseTest, of_present_paths_is_taken_only_while_no_collector_runs) {
  const StorePath kept = add("kept");
  const StorePath absent = StorePath::from_base_name(std::string(32, '1') + "-x");
  const LocalStore store(root());
  EXPECT_FALSE(add_lease_of_present(store, "pod", {kept, absent}));
  EXPECT_THAT(leased_paths(store, "pod"), IsEmpty());
  {
    const Fd collector = open_file(store.state_directory() / "gc.lock", O_RDWR | O_CREAT, 0600);
    ASSERT_EQ(::flock(collector.get(), LOCK_EX), 0);
    EXPECT_FALSE(add_lease_of_present(store, "pod", {kept}));
    EXPECT_THAT(leased_paths(store, "pod"), IsEmpty());
  }
  EXPECT_TRUE(add_lease_of_present(store, "pod", {kept}));
  EXPECT_EQ(leased_paths(store, "pod"), StorePathSet{kept});
  collect_garbage();
  EXPECT_TRUE(store.is_valid(kept));
}

TEST_F(LeaseTest, bad_holders_and_invalid_paths_are_refused) {
  const LocalStore store(root());
  for (const char* holder : {"", ".", "..", "a/b", "../x", "a b", ".hidden"})
    EXPECT_THROW(add_lease(store, holder, {}), Error) << holder;
  EXPECT_THROW(release_lease(store, "../flox"), Error);
  EXPECT_THROW(add_lease(store, "pod", {StorePath::from_base_name(std::string(32, '1') + "-x")}), Error);
  EXPECT_THAT(list_leases(store), IsEmpty());
}

// What is added to a lease while that ends must not get into another one.
TEST_F(LeaseTest, no_lease_gets_another_ones_roots_however_they_come_and_go_at_once) {
  const StorePath theirs = add("theirs"), ours = add("ours");
  const LocalStore store(root());
  std::atomic<bool> stop = false;
  auto loop = [&](auto step) {
    return std::thread([&stop, step] {
      while (!stop) step();
    });
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.push_back(loop([&] { EXPECT_TRUE(add_lease_of_present(store, "theirs", {theirs})); }));
  threads.push_back(loop([&] { release_lease(store, "theirs"); }));
  for (int i = 0; i < 1000 && !HasFailure(); ++i) {
    EXPECT_TRUE(add_lease_of_present(store, "ours", {ours}));
    EXPECT_EQ(leased_paths(store, "ours"), StorePathSet{ours});
    release_lease(store, "ours");
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace flox::store
