#include "activation/undo.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::activation {
namespace {

const env::Variables before = {
    {"PATH", "/usr/bin:/bin"}, {"KEPT", "1"}, {"CHANGED", "old"}, {"GONE", "there"}};
const env::Variables after = {
    {"PATH", "/env/bin:/usr/bin:/bin"}, {"KEPT", "1"},     {"CHANGED", "new"},
    {"MANPATH", "/env/man:"},           {"ADDED", "\xff"}, {"BASH_FUNC_x%%", "() { :; }"}};

TEST(Undo, of_an_activation_leads_back) {
  env::Variables variables = after;
  activation::apply(undo_of(before, after).back, variables);
  EXPECT_EQ(variables, before);
}

TEST(Undo, reads_as_it_was_written) {
  Undo undo = undo_of(before, after);
  undo.name = "w\xff";
  undo.profile = "/nix/store/x";
  undo.mode = "dev";
  undo.keeper = "/k";
  undo.subshell = undo.automatic = true;
  undo.project = "/p\xff";
  EXPECT_EQ(parse_undo(to_text({undo, Undo{}})), (std::vector<Undo>{undo, Undo{}}));
  for (const char* text : {"", "{}", "[1]", "[{}]", R"([{"name": 1}])"})
    EXPECT_THROW(parse_undo(text), Error) << text;
}

TEST(Undo, keeps_what_others_have_added_to_lists) {
  env::Variables now = after;
  now["PATH"] = "/mine:/env/bin:/usr/bin:/bin";
  now["CHANGED"] = "by the user";
  EXPECT_EQ(undo_script(Shell::bash, undo_of(before, after), now),
            "unset ADDED;\nunset MANPATH;\nexport CHANGED='old';\nexport GONE='there';\n"
            "export PATH='/mine:/usr/bin:/bin';\n");
  now["MANPATH"] = "/env/man::/mine";
  EXPECT_NE(undo_script(Shell::bash, undo_of(before, after), now).find("export MANPATH=':/mine'"),
            std::string::npos);
}

}  // namespace
}  // namespace flox::activation
