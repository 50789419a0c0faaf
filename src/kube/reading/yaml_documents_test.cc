#include "kube/reading/yaml_documents.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "testing/error_of.h"
#include "testing/repeated.h"

namespace flox::kube {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json read(const std::string& text) {
  const auto documents = load_documents(text, "f.yaml");
  return documents.empty() ? json() : to_json(documents.front());
}

std::string yaml_error(const std::string& text, const YamlLimits& limits = {}) {
  return error_of([&] { load_documents(text, "f.yaml", limits); });
}

TEST(Yaml, merges_maps_by_the_merge_key) {
  EXPECT_EQ(read("base: &b {a: 1, b: 2}\nhere:\n  <<: *b\n  b: 3\n  c: 4\n")["here"],
            json({{"a", 1}, {"b", 3}, {"c", 4}}));
}

TEST(Yaml, a_maps_own_fields_win_wherever_they_stand) {
  EXPECT_EQ(read("base: &b {a: 1}\nhere:\n  a: 2\n  <<: *b\n")["here"], json({{"a", 2}}));
}

TEST(Yaml, of_several_merged_maps_the_earlier_wins) {
  EXPECT_EQ(read("- &a {k: a, x: 1}\n- &b {k: b, y: 2}\n- <<: [*a, *b]\n  z: 3\n")[2],
            json({{"k", "a"}, {"x", 1}, {"y", 2}, {"z", 3}}));
}

TEST(Yaml, merged_maps_may_have_merged_others_and_stand_in_place) {
  EXPECT_EQ(read("- &a {x: 1}\n- &b {<<: *a, y: 2}\n- {<<: *b}\n- {<<: {in: place}}\n"),
            json::parse(R"([{"x":1},{"x":1,"y":2},{"x":1,"y":2},{"in":"place"}])"));
}

TEST(Yaml, merging_replaces_whole_fields_and_not_parts_of_them) {
  EXPECT_EQ(read("- &a {f: {x: 1, y: 2}}\n- {<<: *a, f: {x: 3}}\n")[1], json::parse(R"({"f":{"x":3}})"));
}

TEST(Yaml, a_quoted_merge_key_is_a_key) {
  EXPECT_EQ(read("\"<<\": {a: 1}\n"), json::parse(R"({"<<":{"a":1}})"));
}

TEST(Yaml, refuses_to_merge_what_is_no_map) {
  EXPECT_THAT(yaml_error("a: &a [1]\nb: {<<: *a}\n"), HasSubstr("takes a map or a list of maps"));
  EXPECT_THAT(yaml_error("b:\n  <<: 3\n"), HasSubstr("f.yaml:2:7: a merge key"));
  EXPECT_THAT(yaml_error("b:\n  <<: [3]\n"), HasSubstr("f.yaml:2:8: a merge key"));
  EXPECT_THAT(yaml_error("a: &a {}\nb:\n  <<: *a\n  <<: *a\n"),
              HasSubstr("f.yaml:4:3: the merge key << is given twice"));
}

TEST(Yaml, refuses_a_field_given_twice) {
  EXPECT_THAT(yaml_error("a: 1\nb: 2\n\"a\": 3\n"), HasSubstr("f.yaml:3:1: the field a is given twice"));
}

TEST(Yaml, refuses_keys_that_are_not_words) {
  EXPECT_THAT(yaml_error("? [a, b]\n: c\n"), HasSubstr("f.yaml:1:3: a field's name must be a word"));
  EXPECT_THAT(yaml_error("~: c\n"), HasSubstr("a field's name must be a word"));
}

TEST(Yaml, takes_only_the_tags_of_jsons_values) {
  EXPECT_EQ(read("a: !!str 20\nb: !!int 20\nc: !!map {}\nd: !!seq []\n"),
            json::parse(R"({"a":"20","b":20,"c":{},"d":[]})"));
  EXPECT_THAT(yaml_error("a:\n  b: !!binary aGVsbG8=\n"), HasSubstr("f.yaml:2:6: the tag"));
  EXPECT_THAT(yaml_error("a: !own x\n"), HasSubstr("is not supported"));
  EXPECT_THAT(yaml_error("a: !!set {b: }\n"), HasSubstr("is not supported"));
  EXPECT_THAT(yaml_error("a: !!map [b]\n"), HasSubstr("is not supported"));
}

TEST(Yaml, counts_what_stands_behind_aliases_each_time) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i)
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
              repeated("*a" + std::to_string(i - 1) + ", ", 9) + "*a" + std::to_string(i - 1) + "]\n";
  EXPECT_THAT(yaml_error(laughs), HasSubstr("f.yaml:6:"));
  EXPECT_THAT(yaml_error(laughs), HasSubstr("those behind aliases counted each time"));
  const std::string big = "a: &a " + std::string(1 << 20, 'x') + "\nb: [" + repeated("*a, ", 20) + "]\n";
  EXPECT_THAT(yaml_error(big), HasSubstr("the texts take more than"));
}

TEST(Yaml, refuses_an_anchor_within_itself_and_one_that_is_not_there) {
  EXPECT_THAT(yaml_error("a: &a [1, *a]\n"), HasSubstr("f.yaml:1:11: "));
  EXPECT_THAT(yaml_error("a: *b\n"), HasSubstr("f.yaml:1:4: "));
  EXPECT_THAT(yaml_error("a: &a 1\n---\nb: *a\n"), HasSubstr("f.yaml:3:4: "))
      << "an anchor ends with its document";
}

TEST(Yaml, refuses_a_million_levels_of_every_kind_at_the_first_too_deep) {
  for (const std::string level : {"[", "{a: ", "[a, ", "{", "[{a: ", "{\"a\":", "[ # x\n"}) {
    const std::string text = repeated(level, 4'000'000 / level.size());
    EXPECT_THAT(yaml_error(text), HasSubstr("nested too deep")) << level;
    EXPECT_THAT(yaml_error("a: \"\\\"[\"\nb: |\n  it's [\nc: '[''['\nd: [ " + text.substr(0, 3'900'000)),
                HasSubstr("nested too deep"))
        << level;
  }
  for (const std::string level : {"- ", "? ", "? - ", "- ? "})
    EXPECT_THAT(yaml_error(repeated(level, 1'000'000)), HasSubstr("nested too deep")) << level;
  std::string stairs;
  for (int i = 0; i < 1000; ++i) stairs += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(yaml_error(stairs), HasSubstr("f.yaml:65:65: lists and maps are nested too deep"));
}

TEST(Yaml, counts_the_levels_behind_an_alias) {
  const std::string deep = repeated("[", 40) + repeated("]", 40);
  EXPECT_EQ(yaml_error("- &a " + deep + "\n- " + deep + "\n"), "no error");
  EXPECT_THAT(yaml_error("- &a " + deep + "\n- " + repeated("[", 30) + "*a" + repeated("]", 30) + "\n"),
              HasSubstr("nested too deep"));
  EXPECT_THAT(
      yaml_error("- &a " + deep + "\n- &b [[[[[[[[[[*a]]]]]]]]]]\n- [[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]\n"),
      HasSubstr("nested too deep"));
}

TEST(Yaml, limits_values_documents_and_scalars) {
  EXPECT_THAT(yaml_error("[" + repeated("a,", 300'000) + "]"), HasSubstr("too many values"));
  EXPECT_THAT(yaml_error(repeated("- a\n", 300'000)), HasSubstr("there are more than 200000 values"));
  EXPECT_THAT(yaml_error(repeated("---\na\n", 1001)), HasSubstr("too many documents"));
  EXPECT_THAT(yaml_error("a: " + std::string(2 << 20, 'x')), HasSubstr("too long for one value"));
  EXPECT_THAT(yaml_error(std::string(5 << 20, '#')), HasSubstr("too large"));
}

TEST(Yaml, brackets_in_scripts_and_texts_are_no_levels) {
  const std::string many = repeated("[", 200);
  EXPECT_EQ(yaml_error("script: |\n  if [ a ]; then echo '" + many + "\n\n  fi\n  [[[ x\nnext: '" + many +
                       "'\nlast: \"" + many + "\"\nplain: a" + many + "\n# " + many + "\nlist: [a" + "]\n"),
            "no error");
}

TEST(Yaml, refuses_text_that_is_not_utf8_or_hides_something) {
  EXPECT_THAT(yaml_error("a: \xc0\xaf\n"), HasSubstr("f.yaml:1:4: the text is not UTF-8"));
  EXPECT_THAT(yaml_error("a: \xed\xa0\x80\n"), HasSubstr("not UTF-8"));
  EXPECT_THAT(yaml_error(std::string("a: b\n\x04\nhidden: true\n")),
              HasSubstr("f.yaml:2:1: control characters"));
  EXPECT_THAT(yaml_error("a: \"\\0\"\n"), HasSubstr("cannot hold a NUL"));
  EXPECT_EQ(read("a: \"\\t\"\n")["a"], "\t");
}

TEST(Yaml, reads_json_with_places) {
  const auto documents = load_documents("{\"a\": {\n  \"b\": [1, \"2\", true, null, 1.5]}}", "f.json");
  EXPECT_EQ(to_json(documents.at(0)), json::parse(R"({"a":{"b":[1,"2",true,null,1.5]}})"));
  EXPECT_EQ(documents.at(0)["a"]["b"].place().line, 2);
  EXPECT_EQ(documents.at(0)["a"]["b"].place().column, 8);
}

TEST(Yaml, knows_numbers_and_truth_as_yaml_1_1_does) {
  EXPECT_EQ(read("[0644, 0x1a4, 0o644, yes, Off, 1e3, '20', ~, 1.2.3]"),
            json::parse(R"([420, 420, 420, true, false, 1000.0, "20", null, "1.2.3"])"));
}

}  // namespace
}  // namespace flox::kube
