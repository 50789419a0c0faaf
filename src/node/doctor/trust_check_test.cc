#include "node/doctor/trust_check.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace flox::node
