#include "node/floxd/budgets.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/os/file.h"
#include "ttrpc/status.h"

namespace flox::node {
namespace {

env::Lockfile lock_number(int number) {
  env::Lockfile lock;
  lock.manifest = {{"schema-version", "1.10.0"}, {"vars", {{"NUMBER", std::to_string(number)}}}};
  return lock;
}

class BudgetsTest : public testing::Test {
 protected:
  auto claim(int number, const char* mode = "run", const char* pod = "pod-1") {
    return std::unique_ptr<Budgets::Claim>(
        new Budgets::Claim(budgets_.claim(pod, lock_number(number), mode)));
  }

  TempDir temp_;
  store::LocalStore store_{temp_.path()};
  Metrics metrics_;
  struct FewEnvironments : PodBudgets {
    FewEnvironments() {
      pod_environments = 4;
      pods_environments = 6;
    }
  } limits_;
  Budgets budgets_{limits_, store_, metrics_};
};

TEST_F(BudgetsTest, requests_at_once_cannot_have_more_environments_than_there_are) {
  std::vector<std::unique_ptr<Budgets::Claim>> under_way;
  for (int i = 0; i < 4; ++i) under_way.push_back(claim(i));
  EXPECT_THROW(claim(4), ttrpc::StatusError);
  EXPECT_NO_THROW(claim(3));  // the same once more
  under_way.pop_back();
  EXPECT_NO_THROW(claim(4));
}

TEST_F(BudgetsTest, a_lock_makes_an_environment_for_each_mode) {
  std::vector<std::unique_ptr<Budgets::Claim>> under_way;
  for (const char* mode : {"run", "dev"})
    for (int i = 0; i < 2; ++i) under_way.push_back(claim(i, mode));
  EXPECT_THROW(claim(2, "dev"), ttrpc::StatusError);
}

TEST_F(BudgetsTest, what_is_under_way_counts_among_those_of_all_pods) {
  std::vector<std::unique_ptr<Budgets::Claim>> under_way;
  for (int i = 0; i < 3; ++i) {
    under_way.push_back(claim(i, "run", "pod-1"));
    under_way.push_back(claim(i, "run", "pod-2"));
  }
  EXPECT_THROW(claim(0, "run", "pod-3"), ttrpc::StatusError);
}

TEST_F(BudgetsTest, a_claim_may_outlast_its_pod) {
  const auto under_way = claim(0);
  budgets_.forget("pod-1");
}

}  // namespace
}  // namespace flox::node
