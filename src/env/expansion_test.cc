#include "env/expansion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/os/process.h"

namespace flox::env {
namespace {

using testing::ElementsAre;

const std::map<std::string, std::string> variables = {
    {"A", "a"}, {"AB", "ab"}, {"EMPTY", ""}, {"SPACE", " x  y "}, {"DATA", "/d"}, {"DATA_ROOT", "/d/r"}};

std::string expanded(std::string_view value) { return expand(value, variables, 10'000); }

TEST(Expansion, has_the_forms_of_bash_inside_double_quotes) {
  EXPECT_EQ(expanded("${PORT:-8080}"), "8080");
  EXPECT_EQ(expanded("${A:-8080}"), "a");
  EXPECT_EQ(expanded("[${EMPTY-x}|${EMPTY:-x}|${NONE-x}]"), "[|x|x]");
  EXPECT_EQ(expanded("[${A:+x}|${EMPTY:+x}|${EMPTY+x}|${NONE+x}]"), "[x||x|]");
  EXPECT_EQ(expanded("${NONE:-${EMPTY:-$A-${AB}}}b"), "a-abb");
  EXPECT_EQ(expanded("${DATA}/$DATA_ROOT"), "/d//d/r");
  EXPECT_EQ(expanded("\\$A \\${A} \\\\ \\n $ $. a$"), "$A ${A} \\ \\n $ $. a$");
  EXPECT_EQ(expanded("${NONE:-\"a b\"\\}}"), "a b}");
  EXPECT_EQ(expanded("$5x"), "x");
}

TEST(Expansion, knows_which_variables_a_value_names) {
  EXPECT_THAT(names_in("$A \\$B ${C:-$D${E+f}} $A"), ElementsAre("A", "C", "D", "E"));
}

TEST(Expansion, refuses_what_it_does_not_know) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "${A:-";
  for (const std::string& value :
       {std::string("`id`"), std::string("$(id)"), std::string("${A:-$(id)}"), std::string("$((1+2))"),
        std::string("${A%x}"), std::string("${#A}"), std::string("${A:=x}"), std::string("${A:?x}"),
        std::string("${A:1:2}"), std::string("${A[0]}"), std::string("${!A}"), std::string("${"),
        std::string("${}"), std::string("${A"), std::string("${A:-x"), std::string("$$"), std::string("$?"),
        deep})
    EXPECT_THROW(expanded(value), Error) << value.substr(0, 100);
  EXPECT_THROW(expand("$SPACE", variables, 3), Error);
}

class ValueMaker {
 public:
  std::string value(int depth = 0) {
    std::string result;
    for (size_t pieces = one_of(5); pieces > 0; --pieces) result += piece(depth);
    return result;
  }

 private:
  size_t one_of(size_t count) { return random_() % count; }

  std::string piece(int depth) {
    static const std::vector<std::string> plain = {"a", "_",  "0",   " ",    "/x",   ".",   "-",    ":", "}x",
                                                   "'", "ü",  "\\$", "\\\\", "\\`",  "\\n", "\\\"", "*", "~",
                                                   "#", "$.", "$ ",  "\n",   "\\\n", "!",   "{A}"};
    static const std::vector<std::string> names = {"A",    "AB",        "EMPTY", "SPACE",
                                                   "DATA", "DATA_ROOT", "NONE",  "_n1"};
    static const std::vector<std::string> forms = {":-", "-", ":+", "+"};
    const std::string& name = names[one_of(names.size())];
    switch (one_of(depth > 3 ? 3 : 6)) {
      case 0:
        return "$" + name;
      case 1:
        return "${" + name + "}";
      case 2: {
        std::string text = plain[one_of(plain.size())];
        if (depth == 0) return text;
        // In a word, '}' ends it, and bash wants single quotes in pairs.
        return text == "}x" ? "\\}" : text == "'" ? "''" : text;
      }
      default:
        return "${" + name + forms[one_of(forms.size())] + value(depth + 1) + "}";
    }
  }

  std::mt19937 random_{20261129};
};

TEST(Expansion, is_that_of_bash_for_thousands_of_values) {
  ValueMaker maker;
  std::vector<std::string> values;
  std::string script = "set +H\nunset NONE _n1\n";
  for (const auto& [name, value] : variables) script += name + "='" + value + "'\n";
  for (int i = 0; i < 5000; ++i) {
    values.push_back(maker.value());
    script += "printf '%s\\0' \"" + values.back() + "\"\n";
  }
  const std::string out = run_checked({.argv = {"bash", "--norc", "--noprofile"}, .input = script});
  size_t at = 0;
  for (const std::string& value : values) {
    const size_t end = out.find('\0', at);
    ASSERT_NE(end, std::string::npos);
    ASSERT_EQ(expanded(value), out.substr(at, end - at)) << value;
    at = end + 1;
  }
}

}  // namespace
}  // namespace flox::env
