#include "node/floxd/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/os/file.h"
#include "store/local/local_store.h"
#include "testing/error_of.h"

namespace flox::node {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class AuditTest : public testing::Test {
 protected:
  AuditTest() { settings_.audit = (directory_.path() / "log/audit.jsonl").string(); }
  std::string file(const std::string& end = "") { return read_file(settings_.audit + end); }
  // How many lines were lost, as /metrics says it.
  std::string lost() {
    const std::string text = metrics_.text(store::LocalStore(directory_.path() / "root"), {});
    const size_t at = text.find("\nflox_audit_lost_total ");
    return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  }
  TempDir directory_;
  PolicySettings settings_;
  Metrics metrics_;
};

TEST_F(AuditTest, LinesStandInTheFileInTheirOrder) {
  {
    AuditLog log(settings_, metrics_);
    EXPECT_TRUE(log.is_on());
    for (const char* line : {"{\"n\":1}", "{\"n\":2}"}) log.write(line);
  }
  EXPECT_EQ(file(), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(fs::status(settings_.audit).permissions(), fs::perms(0600));
  AuditLog(settings_, metrics_).write("{\"n\":3}");
  EXPECT_THAT(file(), HasSubstr("{\"n\":2}\n{\"n\":3}\n"));
}

TEST_F(AuditTest, AFileThatIsFullIsSetAsideAndAsManyAsWantedAreKept) {
  settings_.audit_size = {20};
  settings_.audit_files = 3;
  {
    AuditLog log(settings_, metrics_);
    for (int i = 0; i < 10; ++i)
      log.write("{\"number\":" + std::to_string(i) + "}");  // 13 bytes with the line's end
  }
  EXPECT_EQ(file(), "{\"number\":9}\n");
  EXPECT_EQ(file(".1"), "{\"number\":8}\n");
  EXPECT_EQ(file(".2"), "{\"number\":7}\n");
  EXPECT_FALSE(fs::exists(settings_.audit + ".3"));
  EXPECT_EQ(lost(), "flox_audit_lost_total 0");
}

TEST_F(AuditTest, WhatCannotBeWrittenIsCounted) {
  fs::create_directories(settings_.audit);  // a directory stands there
  {
    AuditLog log(settings_, metrics_);
    log.write("{}");
    log.write("{}");
    log.write(std::string(20 << 10, 'x'));
  }
  EXPECT_EQ(lost(), "flox_audit_lost_total 3");
}

TEST_F(AuditTest, ALinkIsNotWrittenThrough) {
  fs::create_directories(fs::path(settings_.audit).parent_path());
  write_file(directory_.path() / "other", "");
  fs::create_symlink(directory_.path() / "other", settings_.audit);
  AuditLog(settings_, metrics_).write("{}");
  EXPECT_EQ(read_file(directory_.path() / "other"), "");
  EXPECT_EQ(lost(), "flox_audit_lost_total 1");
}

TEST_F(AuditTest, TheJournalGetsEachLineAsAMessage) {
  const std::string path = (directory_.path() / "journal").string();
  const Fd journal(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(journal.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  settings_.audit = "journald";
  AuditLog(settings_, metrics_, path).write("{\"n\":1}");
  char buffer[256];
  const ssize_t size = ::recv(journal.get(), buffer, sizeof buffer, 0);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(buffer, static_cast<size_t>(size)),
            "PRIORITY=6\nSYSLOG_IDENTIFIER=flox-audit\nMESSAGE={\"n\":1}\n");
  AuditLog(settings_, metrics_, directory_.path() / "none").write("{}");
  EXPECT_EQ(lost(), "flox_audit_lost_total 1");
}

TEST_F(AuditTest, ItIsOffUnlessItIsWanted) {
  settings_.audit = "";
  AuditLog log(settings_, metrics_);
  EXPECT_FALSE(log.is_on());
  log.write("{}");
  settings_.audit = "syslog";
  EXPECT_THAT(error_of([&] { AuditLog other(settings_, metrics_); }), StartsWith("audit = 'syslog'"));
}

}  // namespace
}  // namespace flox::node
