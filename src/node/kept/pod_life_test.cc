#include "node/kept/pod_life.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/os/file.h"

namespace flox::node {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

class PodLifeTest : public testing::Test {
 protected:
  std::vector<std::string> gone(bool runs) {
    return life_.gone({pod_}, [&](const std::string& sandbox) { return runs && sandbox == pod_.sandbox; });
  }
  void at_kubelet() { fs::create_directories(kubelet_.path() / "pods" / pod_.uid); }

  TempDir kubelet_;
  std::chrono::steady_clock::time_point now_{};
  PodLife life_{kubelet_.path(), [&] { return now_; }};
  KeptPod pod_{.pod_namespace = "shop", .name = "web", .uid = "u-1", .sandbox = "s1", .boot = boot_id()};
};

TEST_F(PodLifeTest, a_pod_that_runs_is_there_whatever_the_kubelet_has) {
  EXPECT_THAT(gone(true), IsEmpty());
  fs::create_directories(kubelet_.path() / "pods");
  now_ += minutes(600);
  EXPECT_THAT(gone(true), IsEmpty());
}

TEST_F(PodLifeTest, without_a_kubelet_a_pod_is_gone_with_its_processes) {
  EXPECT_THAT(gone(true), IsEmpty());
  EXPECT_THAT(gone(false), ElementsAre(pod_.key()));
}

TEST_F(PodLifeTest, one_that_the_kubelet_has_no_more_is_gone_at_once) {
  fs::create_directories(kubelet_.path() / "pods/another");
  EXPECT_THAT(gone(false), ElementsAre(pod_.key()));
}

TEST_F(PodLifeTest, one_that_the_kubelet_has_may_get_another_sandbox_for_a_while) {
  at_kubelet();
  EXPECT_THAT(gone(true), IsEmpty());
  EXPECT_THAT(gone(false), IsEmpty());
  now_ += minutes(9);
  EXPECT_THAT(gone(false), IsEmpty());
  EXPECT_THAT(gone(true), IsEmpty());  // it has come back
  now_ += minutes(9);
  EXPECT_THAT(gone(false), IsEmpty());
  now_ += minutes(1);
  EXPECT_THAT(gone(false), ElementsAre(pod_.key()));
}

TEST_F(PodLifeTest, after_a_start_of_the_machine_what_the_kubelet_has_is_there_however_long_it_takes) {
  pod_.boot = "an earlier one";
  at_kubelet();
  now_ += minutes(600);
  EXPECT_THAT(gone(false), IsEmpty());
  now_ += minutes(600);
  EXPECT_THAT(gone(false), IsEmpty());
  fs::remove(kubelet_.path() / "pods/u-1");
  EXPECT_THAT(gone(false), ElementsAre(pod_.key()));
}

TEST_F(PodLifeTest, after_a_start_of_the_machine_without_a_kubelet_pods_have_a_while_to_start) {
  pod_.boot = "an earlier one";
  EXPECT_THAT(gone(false), IsEmpty());
  now_ += minutes(9);
  EXPECT_THAT(gone(false), IsEmpty());
  now_ += minutes(2);
  EXPECT_THAT(gone(false), ElementsAre(pod_.key()));
}

TEST_F(PodLifeTest, a_uid_leads_nowhere_but_into_the_kubelets_directory) {
  fs::create_directories(kubelet_.path() / "pods");
  for (const char* uid : {"..", ".", "", "../pods", "/"}) {
    pod_.uid = uid;
    EXPECT_THAT(gone(false), ElementsAre(pod_.key())) << uid;
  }
}

}  // namespace
}  // namespace flox::node
