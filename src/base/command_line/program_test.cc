#include "base/command_line/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/os/file.h"

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

TEST_F(CommandLine, options_of_a_command_above_are_sent_to_their_place) {
  const Error error = error_of({"install", "x", "--root=/x"});
  EXPECT_STREQ(error.what(), "flox install: --root does not stand here");
  EXPECT_EQ(error.advice(), "--root is an option of 'flox': write it before 'install'.");
}

TEST_F(CommandLine, says_what_is_missing_or_too_much) {
  EXPECT_EQ(message_for({}), "flox: no command given");
  EXPECT_EQ(message_for({"store"}), "flox store: no command given");
  EXPECT_EQ(message_for({"install"}), "flox install: PACKAGE is missing");
  EXPECT_EQ(message_for({"store", "gc", "--max-freed"}), "flox store gc: --max-freed needs a value");
  EXPECT_EQ(message_for({"store", "gc", "x"}), "flox store gc: unexpected argument 'x'");
  EXPECT_EQ(message_for({"store", "gc", "--tree", "--dot"}),
            "flox store gc: --tree cannot be used together with --dot");
  EXPECT_EQ(message_for({"store", "gc", "--tail", "many"}), "flox store gc: --tail: 'many' is not a number");
}

TEST_F(CommandLine, nothing_is_done_before_the_whole_of_it_is_understood) {
  EXPECT_EQ(message_for({"store", "gc", "--bogus"}), "flox store gc: unknown option '--bogus'");
  EXPECT_EQ(collected_, 0);
}

TEST_F(CommandLine, help_is_a_word_too) {
  const auto help = [&](std::vector<std::string> words) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_command_line(app_, std::move(words)), 0);
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(help({"help"}), help({"--help"}));
  EXPECT_EQ(help({"help", "store", "gc"}), help({"store", "gc", "--help"}));
  EXPECT_THAT(message_for({"help", "store", "rm"}), HasSubstr("flox store: unknown command 'rm'"));
  EXPECT_EQ(collected_, 0);
}

TEST_F(CommandLine, a_help_has_the_words_that_are_typed) {
  int number = 0;
  bool contents = true;
  auto* command = app_.add_subcommand("check", "Check");
  command->add_option("--days", number, "for so long")->check(CLI::Range(1, 366));
  command->add_flag("!--no-contents", contents, "read no files");
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command_line(app_, {"check", "--help"}), 0);
  const std::string help = testing::internal::GetCapturedStdout();
  EXPECT_THAT(help, HasSubstr("--days INT(1-366) "));
  EXPECT_THAT(help, HasSubstr("--no-contents "));
  EXPECT_THAT(help, testing::Not(HasSubstr("{false}")));
}

TEST(RunProgram, what_was_printed_stands_before_the_error) {
  const TempDir dir;
  const std::string both = (dir.path() / "both").string();
  std::fflush(stdout);
  const int out = ::dup(1), err = ::dup(2);
  const int file = ::open(both.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(file, 1);
  ::dup2(file, 2);
  EXPECT_EQ(run_program([]() -> int {
              fmt::print("3 paths\n");
              fail(ErrorKind::untrusted, "one is damaged");
            }),
            exit_failure);
  ::dup2(out, 1);
  ::dup2(err, 2);
  for (const int one : {out, err, file}) ::close(one);
  EXPECT_EQ(read_file(both), "3 paths\n✘ ERROR: one is damaged\n");
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
