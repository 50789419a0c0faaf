#include "node/kept/kept_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/os/file.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* question = R"({"environment":"acme/web"})";

class KeptPodsTest : public testing::Test {
 protected:
  KeptPods& open(KeptLimits limits = {}) {
    kept_.emplace(
        directory(), store_,
        KeptPods::Options{.limits = limits, .lost = [&] { ++lost_; }, .clock = [&] { return now_; }});
    return *kept_;
  }
  nix::StorePath added(const std::string& name) {
    write_file(dir_.path() / name, name);
    return store_.add_tree(dir_.path() / name, name, {}).path;
  }
  fs::path directory() const { return dir_.path() / "kept/pods"; }
  std::string text(const std::string& key) const {
    const auto answer = kept_->find(key, question);
    return answer ? answer->text : "";
  }

  TempDir dir_;
  store::LocalStore store_{dir_.path() / "root"};
  std::chrono::sys_seconds now_{seconds(1'000'000)};
  int lost_ = 0;
  std::optional<KeptPods> kept_;
  KeptPod web_{.pod_namespace = "shop", .name = "web", .uid = "u-1", .sandbox = "s1"};
};

TEST_F(KeptPodsTest, what_a_pod_was_answered_is_there_for_the_next_floxd_with_its_age) {
  KeptPods& kept = open();
  EXPECT_FALSE(kept.find(web_.key(), question));
  kept.expect(web_);
  kept.keep(web_.key(), question, true, "answer 1");
  now_ += seconds(60);
  open();
  const auto answer = kept_->find(web_.key(), question);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->text, "answer 1");
  EXPECT_TRUE(answer->moving);
  EXPECT_EQ(answer->age, seconds(60));
  now_ -= seconds(3'600);  // the clock is set back
  EXPECT_EQ(kept_->find(web_.key(), question)->age, seconds(0));
  EXPECT_FALSE(kept_->find(web_.key(), "another question"));
  EXPECT_EQ(lost_, 0);
}

TEST_F(KeptPodsTest, no_other_pod_gets_it_whatever_it_has_in_common) {
  KeptPods& kept = open();
  kept.expect(web_);
  kept.keep(web_.key(), question, false, "answer");
  for (const KeptPod& other : {KeptPod{"bank", "web", "u-1", "s1"}, KeptPod{"shop", "web", "u-2", "s1"},
                               KeptPod{"shop", "web2", "u-1", "s1"}, KeptPod{"shopw", "eb", "u-1", "s1"},
                               KeptPod{"shop", "web", "", "u-1"}}) {
    kept.expect(other);
    EXPECT_FALSE(kept.find(other.key(), question)) << other.pod_namespace << "/" << other.name;
  }
  KeptPod again = web_;
  again.sandbox = "s2";  // after a restart of the machine
  kept.expect(again);
  EXPECT_TRUE(kept.find(again.key(), question));
}

TEST_F(KeptPodsTest, a_pod_that_is_forgotten_leaves_neither_files_nor_a_lease) {
  const nix::StorePath profile = added("profile");
  KeptPods& kept = open();
  kept.expect(web_);
  kept.keep(web_.key(), question, false, "answer");
  kept.lease(web_.key(), profile);
  kept.lease(web_.key(), profile);
  EXPECT_THAT(store::leased_paths(store_, web_.holder()), ElementsAre(profile));
  kept.forget(web_.key());
  EXPECT_THAT(store::leased_paths(store_, web_.holder()), IsEmpty());
  EXPECT_TRUE(fs::is_empty(directory()));
  kept.keep(web_.key(), question, false, "answer");  // of a request that was under way
  kept.lease(web_.key(), profile);
  EXPECT_TRUE(fs::is_empty(directory()));
  EXPECT_THAT(store::list_leases(store_), IsEmpty());
  kept.expect(web_);  // and it comes back
  kept.keep(web_.key(), question, false, "answer 2");
  EXPECT_EQ(text(web_.key()), "answer 2");
}

TEST_F(KeptPodsTest, what_was_leased_stays_leased_for_the_next_floxd_unless_its_pod_is_damaged) {
  const nix::StorePath profile = added("profile");
  open().expect(web_);
  kept_->lease(web_.key(), profile);
  open();
  EXPECT_THAT(store::leased_paths(store_, web_.holder()), ElementsAre(profile));
  EXPECT_EQ(kept_->pods().size(), 1U);
  write_file(directory() / web_.key() / "pod.json", "{");
  open();
  EXPECT_THAT(kept_->pods(), IsEmpty());
  EXPECT_THAT(store::list_leases(store_), IsEmpty());
  EXPECT_TRUE(fs::is_empty(directory()));
}

TEST_F(KeptPodsTest, an_answer_that_is_damaged_or_of_another_question_is_none_and_counts) {
  KeptPods& kept = open();
  kept.expect(web_);
  kept.keep(web_.key(), question, false, "a long answer");
  fs::path file;
  for (const auto& entry : fs::directory_iterator(directory() / web_.key()))
    if (entry.path().extension() == ".answer") file = entry.path();
  const std::string whole = read_file(file);
  int trouble = 0;
  for (size_t size = 0; size < whole.size(); ++size) {  // a stop of the machine may cut it anywhere
    write_file(file, whole.substr(0, size));
    EXPECT_FALSE(kept.find(web_.key(), question)) << size;
    EXPECT_EQ(lost_, ++trouble);
  }
  std::string changed = whole;
  changed.back() ^= 1;
  write_file(file, changed);
  EXPECT_FALSE(kept.find(web_.key(), question));
  fs::remove(file);
  fs::create_symlink("/etc/passwd", file);
  EXPECT_FALSE(kept.find(web_.key(), question));
  kept.keep(web_.key(), question, false, "another");
  EXPECT_EQ(text(web_.key()), "another");
}

TEST_F(KeptPodsTest, who_takes_flox_off_the_node_leaves_nothing_of_it_and_other_leases_alone) {
  const nix::StorePath profile = added("profile");
  open().expect(web_);
  kept_->lease(web_.key(), profile);
  store::add_lease(store_, "container", {profile});
  remove_kept(dir_.path() / "nothing here");
  EXPECT_EQ(store::list_leases(store_).size(), 2U);
  const fs::path root = dir_.path() / "root";
  fs::create_directories(root / "var/lib/flox/kept/pods");
  remove_kept(root);
  ASSERT_EQ(store::list_leases(store_).size(), 1U);
  EXPECT_EQ(store::list_leases(store_)[0].holder, "container");
  EXPECT_FALSE(fs::exists(root / "var/lib/flox/kept"));
}

TEST_F(KeptPodsTest, what_a_killed_floxd_was_writing_goes_with_the_next_start) {
  open().expect(web_);
  kept_->keep(web_.key(), question, false, "answer");
  write_file(directory() / web_.key() / ".half-written", "x");
  open();
  EXPECT_FALSE(fs::exists(directory() / web_.key() / ".half-written"));
  EXPECT_EQ(text(web_.key()), "answer");
}

TEST_F(KeptPodsTest, the_answer_that_was_used_the_longest_time_ago_makes_room) {
  KeptPods& kept = open({.answers = 2, .answer_bytes = 100, .pod_bytes = 10'000, .pods = 2, .leased = 1});
  kept.expect(web_);
  kept.keep(web_.key(), "a", false, "1");
  kept.keep(web_.key(), "b", false, "2");
  EXPECT_TRUE(kept.find(web_.key(), "a"));
  kept.keep(web_.key(), "c", false, "3");
  EXPECT_FALSE(kept.find(web_.key(), "b"));
  EXPECT_TRUE(kept.find(web_.key(), "a"));
  EXPECT_EQ(lost_, 0);
  kept.keep(web_.key(), "d", false, std::string(101, 'x'));  // too large
  EXPECT_FALSE(kept.find(web_.key(), "d"));
  EXPECT_EQ(lost_, 1);
  EXPECT_TRUE(kept.find(web_.key(), "c"));
}

TEST_F(KeptPodsTest, a_pod_has_a_limit_of_what_it_leases_and_the_node_one_of_pods) {
  KeptPods& kept = open({.answers = 2, .answer_bytes = 100, .pod_bytes = 10'000, .pods = 2, .leased = 1});
  std::vector<std::string> keys;
  for (const char* name : {"a", "b", "c"}) {
    const KeptPod pod{.pod_namespace = "shop", .name = name, .uid = name, .sandbox = name};
    keys.push_back(pod.key());
    kept.expect(pod);
    kept.lease(pod.key(), added(name));
  }
  EXPECT_THAT(kept.beyond_limit(), ElementsAre(keys[0]));
  EXPECT_EQ(lost_, 0);
  kept.lease(keys[1], added("more"));
  EXPECT_EQ(lost_, 1);
}

TEST_F(KeptPodsTest, what_was_prefetched_is_kept_beside_the_pods_and_with_its_age) {
  const KeptPod web = prefetched_answers("acme/web:1");
  EXPECT_NE(web.key(), prefetched_answers("acme/web:2").key());
  KeptPods& kept = open({.answers = 2, .answer_bytes = 100, .pod_bytes = 10'000, .pods = 0, .leased = 1});
  kept.expect(web);
  kept.keep(web.key(), question, false, "answer", std::chrono::hours(3));
  EXPECT_TRUE(kept.pods().empty());
  EXPECT_TRUE(kept.beyond_limit().empty());
  KeptPods& again = open();
  EXPECT_TRUE(again.pods().empty());
  EXPECT_EQ(text(web.key()), "answer");
  EXPECT_EQ(again.find(web.key(), question)->age, std::chrono::hours(3));
  EXPECT_EQ(summary_of_kept(directory()).pods, 0U);
}

TEST_F(KeptPodsTest, who_only_looks_learns_how_old_the_oldest_moving_answer_is) {
  EXPECT_EQ(summary_of_kept(directory()).pods, 0U);
  now_ = std::chrono::floor<seconds>(std::chrono::system_clock::now()) - std::chrono::hours(5);
  KeptPods& kept = open();
  kept.expect(web_);
  kept.keep(web_.key(), "fixed", false, "1");
  now_ += std::chrono::hours(1);
  kept.keep(web_.key(), "moving", true, "2");
  const KeptSummary summary = summary_of_kept(directory());
  EXPECT_EQ(summary.pods, 1U);
  EXPECT_EQ(summary.answers, 2U);
  ASSERT_TRUE(summary.oldest_moving);
  EXPECT_EQ(summary.oldest_moving->question, "moving");
  EXPECT_GE(summary.oldest_moving->age, std::chrono::hours(4));
  EXPECT_LT(summary.oldest_moving->age, std::chrono::hours(5));
  EXPECT_EQ(summary.oldest_moving_of.name, "web");
}

}  // namespace
}  // namespace flox::node
