#include "package/imported/smoke.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace flox::package {
namespace {

using Verdict = SmokeResult::Verdict;
const std::vector<std::string> failures{"error while loading shared libraries", "Can't locate ",
                                        ": not found"};

int exited(int code) { return code << 8; }

TEST(Smoke, AProgramThatEndsHasRunWhateverItPrints) {
  EXPECT_EQ(judge("bin/a", exited(0), false, "Can't locate anything", failures).verdict, Verdict::ran);
  EXPECT_EQ(judge("bin/a", exited(1), false, "usage: a FILE\n", failures).verdict, Verdict::ran);
  EXPECT_EQ(judge("bin/a", SIGKILL, true, "", failures).verdict, Verdict::ran);
}

TEST(Smoke, AProgramWithoutItsLoaderOrLibraryDidNotRun) {
  const auto result = judge("bin/a", exited(127), false,
                            "a: error while loading shared libraries: libz.so.1: cannot open\n", failures);
  EXPECT_EQ(result.verdict, Verdict::did_not_run);
  EXPECT_NE(result.detail.find("libz.so.1"), std::string::npos);
  EXPECT_EQ(judge("bin/a", exited(127), false, "", failures).verdict, Verdict::did_not_run);
  EXPECT_EQ(judge("bin/a", SIGSEGV, false, "", failures).verdict, Verdict::did_not_run);
}

TEST(Smoke, AProgramThatSaysWhatItMissesComplained) {
  const auto result = judge("bin/a", exited(2), false, "hello\nCan't locate X.pm in @INC\x1b[0m\n", failures);
  EXPECT_EQ(result.verdict, Verdict::complained);
  EXPECT_EQ(result.detail.find('\x1b'), std::string::npos);
  EXPECT_NE(result.detail.find("X.pm"), std::string::npos);
}

TEST(Smoke, AnAppletThatIsNotThereIsNoFailureOfTheProgram) {
  EXPECT_EQ(judge("bin/busybox", exited(127), false, "--version: applet not found\n", {"error while loading"})
                .verdict,
            Verdict::ran);
}

}  // namespace
}  // namespace flox::package
