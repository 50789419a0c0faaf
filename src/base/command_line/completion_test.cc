#include "base/command_line/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/command_line/completion_scripts.h"
#include "base/command_line/manual.h"
#include "base/command_line/program.h"
#include "base/command_line/self_description.h"
#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A program like ours.
class TypedWords : public testing::Test {
 protected:
  TypedWords() {
    app_.require_subcommand(1);
    app_.add_option("--root", text_, "where");
    auto* install = app_.add_subcommand("install", "Add packages")->alias("i");
    install->add_option("PACKAGE", many_, "packages\nof the catalog")->required();
    auto* dir = install->add_option("-d,--dir", text_, "directory");
    offer_values(dir, {.words =
                           [](const GivenOptions&) {
                             return std::vector<std::string>{"/a b", "/c"};
                           },
                       .files = Completion::Files::directories});
    auto* remove = app_.add_subcommand("remove", "Remove packages");
    remove->add_option("-d,--dir", text_, "directory");
    auto* id = remove->add_option("ID", many_, "what");
    offer_values(id, {.words = [](const GivenOptions& given) {
                   const auto dir = given.find("--dir");
                   if (dir != given.end() && dir->second == "bad") throw std::runtime_error("nothing there");
                   return std::vector<std::string>{dir == given.end() ? "here" : "of-" + dir->second};
                 }});
    auto* store = app_.add_subcommand("store", "The store");
    store->require_subcommand(1)->fallthrough();
    store->add_subcommand("gc", "Collect")->fallthrough()->add_flag("--dry-run", flag_, "only count");
    app_.add_subcommand("shell", "Choose")->add_option("SHELL", text_)->check(CLI::IsMember({"bash", "zsh"}));
    CLI::App* kube = app_.add_subcommand("kube", "Another program");
    kube->prefix_command();
    kube->set_help_flag();
    app_.add_subcommand("hidden", "Nobody's")->group("");
  }
  ~TypedWords() override { forget_offered_values(); }
  std::vector<std::string> offered(const std::vector<std::string>& words) {
    std::vector<std::string> result;
    const Completion completion = complete_words(app_, words);
    for (const auto& candidate : completion.candidates) result.push_back(candidate.word);
    if (completion.files == Completion::Files::files) result.emplace_back("(files)");
    if (completion.files == Completion::Files::directories) result.emplace_back("(directories)");
    return result;
  }

  CLI::App app_{"A program", "flox"};
  std::string text_;
  std::vector<std::string> many_;
  bool flag_ = false;
};

TEST_F(TypedWords, become_commands_with_what_they_do) {
  EXPECT_THAT(complete_words(app_, {"in"}).candidates,
              ElementsAre(Completion::Candidate{"install", "Add packages"}));
  EXPECT_THAT(offered({""}), ElementsAre("install", "remove", "store", "shell", "kube"));
  EXPECT_THAT(offered({"store", ""}), ElementsAre("gc"));
  EXPECT_THAT(offered({"bogus"}), IsEmpty());
}

TEST_F(TypedWords, become_options_that_were_not_given_yet) {
  EXPECT_THAT(offered({"install", "--"}), ElementsAre("--help", "--dir"));
  EXPECT_THAT(offered({"i", "--dir", "x", "--"}), ElementsAre("--help"));
  EXPECT_THAT(offered({"i", "-dx", "--"}), ElementsAre("--help"));
  EXPECT_THAT(offered({"store", "gc", "--"}),
              ElementsAre("--help", "--dry-run", "--help", "--help", "--root"));
}

TEST_F(TypedWords, become_values_of_the_option_before_them) {
  EXPECT_THAT(offered({"install", "--dir", "/"}), ElementsAre("/a b", "/c", "(directories)"));
  EXPECT_THAT(offered({"install", "--dir=/c"}), ElementsAre("--dir=/c", "(directories)"));
  EXPECT_THAT(offered({"--root", ""}), ElementsAre("(files)"));
  EXPECT_THAT(offered({"shell", "b"}), ElementsAre("bash"));
}

TEST_F(TypedWords, become_arguments_that_depend_on_what_was_given) {
  EXPECT_THAT(offered({"remove", ""}), ElementsAre("here"));
  EXPECT_THAT(offered({"remove", "-d", "x", "a", ""}), ElementsAre("of-x"));
  EXPECT_THAT(offered({"remove", "--dir=bad", ""}), IsEmpty());
}

TEST_F(TypedWords, of_another_program_are_its_own) {
  EXPECT_THAT(offered({"kube", "--"}), ElementsAre("(files)"));
  EXPECT_THAT(offered({"install", "--", "--"}), ElementsAre("(files)"));
}

TEST(CompletionText, has_one_line_for_each_word) {
  EXPECT_EQ(completion_text({.candidates = {{"a", "first"}, {"b", ""}}, .files = Completion::Files::files}),
            "files\na\tfirst\nb\t\n");
}

TEST(CompletionScript, is_of_the_program_and_of_known_shells) {
  for (const std::string& shell : completed_shells()) {
    EXPECT_THAT(completion_script(shell, "flox"), HasSubstr("complete-words words"));
    EXPECT_THAT(completion_script(shell, "flox"), Not(HasSubstr("PROGRAM")));
  }
  EXPECT_THROW(completion_script("tcsh", "flox"), Error);
}

TEST_F(TypedWords, and_pages_come_from_the_same_declarations) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_with_pages(app_)) names.push_back(manual_name(*command));
  EXPECT_THAT(names, ElementsAre("flox", "flox-install", "flox-remove", "flox-store", "flox-store-gc",
                                 "flox-shell"));  // flox-kube has a page of its own
  CLI::App* install = app_.get_subcommand("install");
  install->footer("Examples:\n  flox install 'a b'\n  .so /etc/passwd\n\n.so is no request.");
  const std::string page = manual_page(*install);
  EXPECT_THAT(page, HasSubstr("flox\\-install \\- Add packages\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-d, \\-\\-dir\\fR TEXT\n"));
  EXPECT_THAT(page, HasSubstr("flox install \\(aqa b\\(aq\n"));
  EXPECT_THAT(page, Not(HasSubstr("\n.so")));
  EXPECT_EQ(page, manual_page(*install));
  EXPECT_THAT(manual_page(*install, 8), HasSubstr(".TH FLOX\\-INSTALL 8 "));
  EXPECT_THAT(manual_page(*install, 8), HasSubstr(".BR flox (8)"));
}

TEST(SelfDescription,
     is_written_by_a_program_that_does_nothing_else_then_and_says_nothing_of_it_in_its_help) {
  const TempDir share("flox-manual-");
  CLI::App app{"A daemon.", "a daemon"};
  std::string required;
  app.add_option("--key", required, "the key");
  std::vector<std::string> asked;
  add_self_description(
      app, {.is_shown = false, .section = 8, .elsewhere = [&](const auto& words) { asked = words; }});
  const auto fails = [] { return 1; };  // what it does otherwise
  EXPECT_EQ(run_command_line(app, {"manual", share.path()}, fails), 0);
  EXPECT_THAT(read_file(share.path() / "man/man8/a-daemon.8"),
              HasSubstr("\\fB\\-\\-key\\fR TEXT\nthe key\n"));
  EXPECT_THAT(read_file(share.path() / "man/man8/a-daemon.8"), Not(HasSubstr("complet")));
  EXPECT_THAT(read_file(share.path() / "bash-completion/completions/a-daemon"),
              HasSubstr("complete -F _a-daemon a-daemon\n"));
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command_line(app, {"complete-words", "words", "--k"}, fails), 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "none\n--key\tthe key\n");
  EXPECT_THAT(asked, ElementsAre("--k"));
  EXPECT_THAT(app.help(), AllOf(Not(HasSubstr("manual")), Not(HasSubstr("SUBCOMMAND"))));
  EXPECT_EQ(run_command_line(app, std::vector<std::string>{}, fails), 1);
}

}  // namespace
}  // namespace flox
