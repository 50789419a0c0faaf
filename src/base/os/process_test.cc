#include "base/os/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox {
namespace {

using testing::HasSubstr;

TEST(Process, captures_both_outputs_and_the_exit_code) {
  Outcome outcome =
      run({.argv = {"sh", "-c", "cat; echo err >&2; exit 3"}, .input = std::string(300000, 'x')});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.out.size(), 300000u);
  EXPECT_EQ(outcome.err, "err\n");
}

TEST(Process, one_that_does_not_read_what_it_is_given_does_not_end_the_caller) {
  EXPECT_EQ(run({.argv = {"true"}, .input = std::string(1 << 20, 'x')}).exit_code, 0);
}

TEST(Process, a_program_that_does_not_exist_is_an_error_that_names_it) {
  try {
    run({.argv = {"no-such-program"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-program"));
  }
}

TEST(Process, run_checked_quotes_what_the_program_complained_of) {
  try {
    run_checked({.argv = {"sh", "-c", "echo no luck >&2; exit 2"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("exit code 2: no luck"));
  }
}

}  // namespace
}  // namespace flox
