#include "base/data/toml_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/toml_syntax.h"
#include "base/error.h"

namespace flox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const TomlPath version = {"t", "x", "v"};

std::string with(std::string_view text, const TomlPath& path = version, const TomlNewValue& value = "1") {
  return with_toml_value(text, path, value, "f");
}
std::string without(std::string_view text, const TomlPath& path = version) {
  return without_toml_value(text, path, "f");
}

TEST(TomlSyntax, knows_where_everything_stands) {
  const std::string_view text = "a = 1\n[ t . 'b.c' ] # c\n  d.\"e\\u0066\" = { g = [1,\n] }  # h\n\n[[l]]\n";
  const TomlSyntax syntax = scan_toml(text, "f");
  ASSERT_EQ(syntax.sections.size(), 3u);
  EXPECT_THAT(syntax.sections[1].name.names, ElementsAre("t", "b.c"));
  const TomlStatement& statement = syntax.sections[1].statements.at(0);
  EXPECT_THAT(statement.entry.key.names, ElementsAre("d", "ef"));
  EXPECT_EQ(text.substr(statement.line.begin, statement.line.end - statement.line.begin),
            "  d.\"e\\u0066\" = { g = [1,\n] }  # h\n");
  EXPECT_THAT(statement.entry.value.entries.at(0).key.names, ElementsAre("g"));
  EXPECT_TRUE(syntax.sections[2].is_list);
}

TEST(TomlSyntax, refuses_what_it_does_not_know_with_line_and_column) {
  for (const char* text :
       {"a", "a = ", "= 1", "a = [1", "a = {b = 1", "a = '1' b = 2", "[a", "a = \"x", "a = '''x",
        "\"\\q\" = 1", "\"\\ud800\" = 1", "a = 1\rb = 2", "[[a]", "'''a''' = 1"})
    EXPECT_THROW(scan_toml(text, "f"), Error) << text;
  try {
    scan_toml("a = 1\nb = [1\n", "f");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("f:3:1: "));
  }
  EXPECT_THROW(scan_toml("a = " + std::string(100'000, '['), "f"), Error);
}

struct Case {
  const char* before;
  const char* after;
};

TEST(TomlEdit, leaves_a_value_alone_that_is_there_in_other_quotes_or_lines) {
  for (const std::string_view text :
       {"[t]\nx.v = '1' # c\n", "t = { x = {v=\"\\u0031\"} }\n", "[t.x]\nv = '''\n1'''"})
    EXPECT_EQ(with(text), text);
  const std::string_view lists = "[t.x]\nv = [\n\t'a', # c\n\t'b',\n]\n";
  EXPECT_EQ(with(lists, version, std::vector<std::string>{"a", "b"}), lists);
  EXPECT_NE(with(lists, version, std::vector<std::string>{"b", "a"}), lists);
}

TEST(TomlEdit, puts_a_value_where_its_table_is_written_and_takes_it_back) {
  for (const auto& [before, after] : {
           Case{"[t]\nx.w = 2\n", "[t]\nx.w = 2\nx.v = \"1\"\n"},
           Case{"  [ t ]\n\tx.w = 2 # c\n# d\n", "  [ t ]\n\tx.w = 2 # c\n\tx.v = \"1\"\n# d\n"},
           Case{"['t']\n\"x\" . w = 2", "['t']\n\"x\" . w = 2\n\"x\".v = \"1\""},
           Case{"[t]\nx = { w = 2 } # c\n", "[t]\nx = { w = 2, v = \"1\" } # c\n"},
           Case{"[t]\nx = {}\n", "[t]\nx = { v = \"1\"}\n"},
           Case{"[t.x]\n# c\n\n[u]\n", "[t.x]\nv = \"1\"\n# c\n\n[u]\n"},
           Case{"[t]\n# c\n\n[u]\n", "[t]\nx.v = \"1\"\n# c\n\n[u]\n"},
           Case{"t = { y = 1 }\n", "t = { y = 1, x.v = \"1\" }\n"},
           Case{"t.y = 1\n[u]\n", "t.y = 1\nt.x.v = \"1\"\n[u]\n"},
           Case{"[t.y]\na = 1\n# c\n[u]\n", "[t.y]\na = 1\n\n[t.x]\nv = \"1\"\n# c\n[u]\n"},
           Case{"a = 1\n", "a = 1\n\n[t.x]\nv = \"1\"\n"},
           Case{"a = 1", "a = 1\n\n[t.x]\nv = \"1\""},
           Case{"", "[t.x]\nv = \"1\"\n"},
           Case{"[t]\r\ny.v = 1\r\n\r\n[u]\r\n", "[t]\r\ny.v = 1\r\nx.v = \"1\"\r\n\r\n[u]\r\n"},
           Case{"\xef\xbb\xbf[t]\n", "\xef\xbb\xbf[t]\nx.v = \"1\"\n"},
           Case{"[h]\ns = '''\n[t]\n'''\n[t]\n", "[h]\ns = '''\n[t]\n'''\n[t]\nx.v = \"1\"\n"},
       }) {
    EXPECT_EQ(with(before), after);
    const bool new_table = std::string_view(after).find("[t.x]") != std::string_view::npos &&
                           std::string_view(before).find("[t.x]") == std::string_view::npos;
    EXPECT_EQ(without(after, new_table ? TomlPath{"t", "x"} : version), before);
  }
}

TEST(TomlEdit, replaces_a_value_and_keeps_its_quotes_and_comment) {
  EXPECT_EQ(with("[t]\nx.v = '0'  # c\n"), "[t]\nx.v = '1'  # c\n");
  EXPECT_EQ(with("[t]\nx.v = '0'\n", version, "it's"), "[t]\nx.v = \"it's\"\n");
  EXPECT_EQ(with("[t]\nx = { v = [1,\n 2], w = 1 }\n"), "[t]\nx = { v = \"1\", w = 1 }\n");
  EXPECT_EQ(with("t = { x = { v = 5 } }"), "t = { x = { v = \"1\" } }");
  EXPECT_EQ(with("[t]\nx.v = 1\n", version, std::vector<std::string>{"a", "b"}),
            "[t]\nx.v = [\"a\", \"b\"]\n");
  EXPECT_EQ(with("[t]\nx.v = '''\n[t]\nx.v = 2\n'''\n"), "[t]\nx.v = \"1\"\n");
}

TEST(TomlEdit, removes_all_lines_of_a_table) {
  const TomlPath x = {"t", "x"};
  EXPECT_EQ(without("[t]\nx.a = 1\ny = 2\nx.b = [\n 1, # c\n]\n# d\n", x), "[t]\ny = 2\n# d\n");
  EXPECT_EQ(without("[t]\ny = 1\n\n[t.x]\na = 1\n# c\nb = 2\n# d\n\n[t.x.z]\n\n[u]\n", x),
            "[t]\ny = 1\n# d\n\n[u]\n");
  EXPECT_EQ(without("t = { x.a = 1, x.b = 2, y = 3, x.c = 4 }\n", x), "t = { y = 3 }\n");
  EXPECT_EQ(without("t = { y = 3, x = 4 }\n", x), "t = { y = 3 }\n");
  EXPECT_EQ(without("[[t.x]]\na = 1\n[[t.x]]\nb = 1\n", x), "");
  EXPECT_THROW(without("[t]\ny = 1\n", x), Error);
}

TEST(TomlEdit, refuses_what_it_cannot_do_and_says_so) {
  for (const char* text : {"t = 5\n", "[[t]]\nx = 1\n", "[t]\nx = 5\n", "t = [{ x = 1 }]\n"}) {
    try {
      with(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
      EXPECT_THAT(error.what(), HasSubstr("editing f: t.x.v stands there in a way that cannot be edited"));
    }
  }
  EXPECT_THROW(with("[t]\n", version, "\xff"), Error);
  EXPECT_THROW(with("[t\n"), Error);
}

TEST(TomlEdit, lets_numbers_that_are_none_stay) {
  EXPECT_EQ(with("[t]\na = nan\nb = 1979-05-27 07:32:00\n"),
            "[t]\na = nan\nb = 1979-05-27 07:32:00\nx.v = \"1\"\n");
}

TEST(TomlEdit, writes_names_and_texts_as_they_are_read) {
  const TomlPath odd = {"t", "a.b \"c\"", ""};
  const std::string text = with("[t]\n", odd, "tab\t \\ \x7f\x01 \"\n");
  EXPECT_EQ(text, "[t]\n\"a.b \\\"c\\\"\".\"\" = \"tab\\t \\\\ \\u007f\\u0001 \\\"\\n\"\n");
  EXPECT_EQ(without(text, odd), "[t]\n");
}

}  // namespace
}  // namespace flox
