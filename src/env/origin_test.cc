#include "env/origin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::env {
namespace {

using testing::HasSubstr;

Origin some_origin() {
  return {.catalog = "https://catalog.example.org",
          .owner = "acme",
          .name = "web",
          .here = {.number = 3, .digest = std::string(64, 'a')},
          .latest = {.number = 5, .digest = std::string(64, 'b')}};
}

TEST(Origin, is_read_as_it_was_written) {
  EXPECT_EQ(Origin::parse(some_origin().to_string()), some_origin());
}

TEST(Origin, that_is_damaged_is_refused_with_the_name_of_the_file) {
  const std::string good = some_origin().to_string();
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& text :
       {std::string(), std::string("[]"), with("\"version\": 1", "\"version\": 2"), with("\"acme\"", "7"),
        with("\"acme\"", "\"\""), with("acme", std::string(65, 'x')), with("acme", "a\\u001b[31m"),
        with("\"generation\": 3", "\"generation\": 0"), with("\"generation\": 3", "\"generation\": -1"),
        with("\"generation\": 3", "\"generation\": 1e3"),
        with("\"generation\": 3", "\"generation\": 18446744073709551615"), with("aaaa", "aaa"),
        with("aaaa", "AAAA"), good + std::string(Origin::max_bytes, ' ')}) {
    try {
      Origin::parse(text, "the/file");
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
      EXPECT_THAT(error.what(), HasSubstr("the/file"));
    }
  }
}

TEST(Origin, knows_a_content_whatever_the_layout_of_the_lock) {
  const std::string compact = R"({"lockfile-version":1,"manifest":{"version":1},"packages":[]})";
  const std::string spacious =
      "{\n \"packages\": [ ], \"manifest\": {\"version\": 1},\n \"lockfile-version\": 1 }\n";
  const std::string one =
      content_digest(EnvironmentFiles{.manifest = "version = 1\n", .lock = compact, .origin = {}});
  EXPECT_EQ(one.size(), 64U);
  EXPECT_EQ(content_digest(EnvironmentFiles{.manifest = "version = 1\n", .lock = spacious, .origin = "x"}),
            one);
  EXPECT_NE(content_digest(EnvironmentFiles{.manifest = "version = 1 \n", .lock = compact, .origin = {}}),
            one);
  EXPECT_EQ(content_digest(EnvironmentFiles{.manifest = "version = 1\n", .lock = {}, .origin = {}}), "");
  EXPECT_EQ(content_digest(EnvironmentFiles{.manifest = "version = 1\n", .lock = "{", .origin = {}}), "");
}

}  // namespace
}  // namespace flox::env
