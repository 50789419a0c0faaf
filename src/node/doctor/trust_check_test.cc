#include "node/doctor/trust_check.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "trust/testing/owner.h"

namespace flox::node {
namespace {

const trust::Time now = trust::parse_time("2027-01-31T12:00:00Z");

OwnerFiles files(std::chrono::hours root, std::chrono::hours targets, std::chrono::hours timestamp) {
  OwnerFiles result{
      .owner = "acme", .root = {}, .targets = trust::Targets(), .timestamp = trust::Timestamp()};
  result.root.expires = now + root;
  result.targets->expires = now + targets;
  result.timestamp->expires = now + timestamp;
  return result;
}
constexpr std::chrono::hours year(24 * 365), day(24);

TEST(TrustCheck, SaysUntilWhenAnOwnersFilesAreValid) {
  const auto findings = check_expiry(files(year, year, day), now);
  ASSERT_EQ(findings.size(), 3);
  EXPECT_EQ(findings[0].text, "acme: root.json version 1, expires 2028-01-31T12:00:00Z");
  EXPECT_EQ(findings[2].text, "acme: timestamp.json of the catalog, until 2027-02-01T12:00:00Z");
  EXPECT_EQ(worst(findings), Severity::ok);
}

TEST(TrustCheck, WarnsAMonthBeforeAFileExpiresAndSaysHowToRenewIt) {
  auto findings = check_expiry(files(day * 30, day * 31, day), now);
  EXPECT_EQ(findings[0].severity, Severity::warning);
  EXPECT_EQ(findings[0].text, "acme: root.json version 1 expires at 2027-03-02T12:00:00Z, in 30 days");
  EXPECT_EQ(findings[0].advice,
            "Ask acme to renew it: 'flox trust renew acme' and 'flox trust publish acme'.");
  EXPECT_EQ(findings[1].severity, Severity::ok);
  findings = check_expiry(files(year, std::chrono::hours(5), day), now);
  EXPECT_EQ(findings[1].text, "acme: targets.json version 1 expires at 2027-01-31T17:00:00Z, in 0 days");
}

TEST(TrustCheck, AnExpiredFileIsAnError) {
  auto findings = check_expiry(files(std::chrono::hours(0), year, day), now);
  EXPECT_EQ(findings[0].severity, Severity::error);
  EXPECT_EQ(findings[0].text,
            "acme: root.json version 1 expired at 2027-01-31T12:00:00Z: nothing of this owner is accepted "
            "any more");
  findings = check_expiry(files(year, year, -day), now);
  EXPECT_EQ(findings[2].severity, Severity::error);
  EXPECT_NE(findings[2].advice.find("clock"), std::string::npos);
}

TEST(TrustCheck, SaysOfAnOwnerWithoutACatalogWhatIsKnownHere) {
  OwnerFiles alone = files(year, year, day);
  alone.targets.reset();
  alone.timestamp.reset();
  EXPECT_EQ(check_expiry(alone, now).size(), 1);
}

// The catalog of an owner who is trusted here, and what the doctor finds of it.
class TrustCheckOfCatalog : public ::testing::Test {
 protected:
  TrustCheckOfCatalog() {
    store.accept("acme", {owner.root_text()});
    owner.publish("packages/hello", {{"2.12/x86_64-linux/any", trust::testing::hello().to_target()}});
  }
  std::vector<Finding> find(const trust::Evidence& evidence) {
    return check_expiry(
        with_verified({.owner = "acme", .root = store.root("acme").content}, evidence, store, now), now);
  }
  trust::Evidence evidence() {
    trust::Evidence all = owner.evidence("packages/hello");
    all.proof.clear();  // as of a name that nobody publishes
    all.name_file.clear();
    return all;
  }

  TempDir dir;
  trust::TrustStore store{dir.path() / "trust", dir.path() / "state"};
  trust::testing::TestOwner owner;
};

TEST_F(TrustCheckOfCatalog, WhatANodeAcceptsIsWell) {
  EXPECT_EQ(find(evidence()).size(), 3);
  EXPECT_EQ(worst(find(evidence())), Severity::ok);
  EXPECT_FALSE(fs::exists(dir.path() / "state/acme/seen")) << "reading writes nothing";
}

TEST_F(TrustCheckOfCatalog, ACatalogThatGoesBackIsRefusedAsANodeRefusesIt) {
  store.remember("acme", 1, {.timestamp = owner.timestamp.version + 1, .targets = 1}, "packages/hello", 1);
  const auto findings = find(evidence());
  EXPECT_EQ(worst(findings), Severity::error);
  ASSERT_EQ(findings.size(), 2) << "nothing of the catalog is shown as if it held";
  EXPECT_NE(findings[1].text.find("which was seen here before"), std::string::npos);
  EXPECT_NE(findings[1].advice.find("Find out why the catalog goes back"), std::string::npos);
}

TEST_F(TrustCheckOfCatalog, AKeyThatTheRootDoesNotNameIsRefusedAndTheAdviceIsToNameIt) {
  owner.online_key = trust::testing::key("catalog-2");
  const auto findings = find(evidence());
  EXPECT_EQ(worst(findings), Severity::error);
  ASSERT_EQ(findings.size(), 2);
  EXPECT_NE(findings[1].advice.find("flox trust rotate acme timestamp"), std::string::npos);
}

TEST_F(TrustCheckOfCatalog, OfWhatHasOnlyExpiredEachFileIsTold) {
  owner.timestamp.expires = now - std::chrono::hours(1);
  const auto findings = find(evidence());
  ASSERT_EQ(findings.size(), 3);
  EXPECT_EQ(findings[1].severity, Severity::ok);
  EXPECT_EQ(findings[2].severity, Severity::error);
}

}  // namespace
}  // namespace flox::node
