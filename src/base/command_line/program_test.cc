#include "base/command_line/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox {
namespace {

using testing::HasSubstr;

// A program like ours: commands, some with commands of their own, options everywhere.
class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    app_.require_subcommand(1);
    app_.add_option("--root", root_);
    app_.add_subcommand("install", "Add packages")->add_option("PACKAGE", packages_)->required();
    auto* store = app_.add_subcommand("store", "The store");
    store->require_subcommand(1)->fallthrough();
    auto* gc = store->add_subcommand("gc", "Collect")->alias("collect");
    gc->add_option("--max-freed", root_);
    gc->add_option("--tail", tail_);
    auto* tree = gc->add_flag("--tree");
    gc->add_flag("--dot")->excludes(tree);
    gc->callback([this] { ++collected_; });
  }

  // The usage error that this command line is.
  Error error_of(std::vector<std::string> words) {
    try {
      run_command_line(app_, std::move(words));
    } catch (const ExitError& error) {
      EXPECT_EQ(error.exit_code(), exit_usage);
      return error;
    }
    return Error(ErrorKind::internal, "the command line was taken");
  }
  std::string message_for(std::vector<std::string> words) { return error_of(std::move(words)).what(); }

  CLI::App app_{"A program", "flox"};
  std::string root_;
  std::vector<std::string> packages_;
  int tail_ = 0;
  int collected_ = 0;
};

TEST_F(CommandLine, runs_the_command_that_it_names) {
  EXPECT_EQ(run_command_line(app_, {"store", "gc", "--root", "/x"}), 0);
  EXPECT_EQ(collected_, 1);
  EXPECT_EQ(root_, "/x");
}

TEST_F(CommandLine, unknown_commands_are_named_with_the_nearest) {
  const Error error = error_of({"instal", "x"});
  EXPECT_STREQ(error.what(), "flox: unknown command 'instal'");
  EXPECT_EQ(error.advice(), "Did you mean install? Run 'flox --help' to see its commands and options.");
  EXPECT_EQ(error_of({"bogus"}).advice(), "Run 'flox --help' to see its commands and options.");
  EXPECT_EQ(message_for({"store", "gb"}), "flox store: unknown command 'gb'");
  EXPECT_THAT(error_of({"store", "colect"}).advice(), HasSubstr("Did you mean collect?"));
}

TEST_F(CommandLine, unknown_options_are_named_with_the_nearest) {
  const Error error = error_of({"store", "gc", "--max-fred=1G"});
  EXPECT_STREQ(error.what(), "flox store gc: unknown option '--max-fred'");
  EXPECT_THAT(error.advice(), HasSubstr("Did you mean --max-freed?"));
  EXPECT_EQ(message_for({"--rot", "list"}), "flox: unknown option '--rot'");
}

TEST_F(CommandLine, says_what_is_missing_or_too_much) {
  EXPECT_EQ(message_for({}), "flox: no command given");
  EXPECT_EQ(message_for({"store"}), "flox store: no command given");
  EXPECT_EQ(message_for({"install"}), "flox install: PACKAGE is missing");
  EXPECT_EQ(message_for({"store", "gc", "--max-freed"}), "flox store gc: --max-freed needs a value");
  EXPECT_EQ(message_for({"store", "gc", "x"}), "flox store gc: unexpected argument 'x'");
  EXPECT_EQ(message_for({"store", "gc", "--tree", "--dot"}),
            "flox store gc: --dot cannot be used together with --tree");
  EXPECT_EQ(message_for({"store", "gc", "--tail", "many"}), "flox store gc: --tail: 'many' is not a number");
}

TEST_F(CommandLine, nothing_is_done_before_the_whole_of_it_is_understood) {
  EXPECT_EQ(message_for({"store", "gc", "--bogus"}), "flox store gc: unknown option '--bogus'");
  EXPECT_EQ(collected_, 0);
}

TEST(RunProgram, gives_each_outcome_its_exit_code) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_program([] { return 7; }), 7);
  EXPECT_EQ(run_program([]() -> int { fail(ErrorKind::not_found, "no such thing"); }), exit_failure);
  EXPECT_EQ(run_program([]() -> int { fail_usage("what?"); }), exit_usage);
  EXPECT_EQ(run_program([]() -> int { throw std::bad_alloc(); }), exit_failure);
  EXPECT_EQ(run_program([]() -> int {
              throw ExitError(exit_command_not_found, Error(ErrorKind::not_found, "no command 'x'"));
            }),
            127);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "✘ ERROR: no such thing\n✘ ERROR: what?\n✘ ERROR: out of memory\n✘ ERROR: no command 'x'\n");
}

}  // namespace
}  // namespace flox
