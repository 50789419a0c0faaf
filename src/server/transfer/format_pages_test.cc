#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "server/transfer/export_format.h"
#include "testing/error_of.h"
#include "testing/format_page.h"

namespace flox::server {
namespace {

using testing::HasSubstr;

std::string index_text() { return format_example("catalog-export.md", "export"); }

std::string refused_index(std::string_view what, std::string_view by) {
  std::string text = index_text();
  text.replace(text.find(what), what.size(), by);
  return error_of([&] { ExportIndex::parse(text); });
}

TEST(ExportIndex, OfTheFormatsPageIsReadAndWrittenAgain) {
  const ExportIndex index = ExportIndex::parse(index_text());
  EXPECT_EQ(index.tables.size(), carried_tables().size() + 1);
  EXPECT_EQ(index.tables.at("owners").rows, 1U);
  EXPECT_EQ(ExportIndex::parse(index.to_string()).tables, index.tables);
  const std::string row = R"({"created_at":"2026-11-29T08:00:00Z","is_private":0,"name":"acme"})"
                          "\n";
  EXPECT_EQ(index.tables.at("owners").sha256, to_hex(bytes_of(sha256(row))));
  EXPECT_EQ(index.tables.at("owners").size, row.size());
}

TEST(ExportIndex, OfAnotherKindIsRefused) {
  EXPECT_THAT(refused_index("flox-catalog-export", "flox-export"),
              HasSubstr("no index of an exported catalog"));
  EXPECT_THAT(refused_index("\"version\": 1", "\"version\": 2"), HasSubstr("of another version than 1"));
  EXPECT_THAT(refused_index("\"members\"", "\"monsters\""), HasSubstr("not known to this release"));
  EXPECT_THAT(refused_index("\"rows\": 0", "\"rows\": -1"), HasSubstr("'rows' is not a number"));
  EXPECT_THAT(refused_index("e3b0", "../."), HasSubstr("no SHA-256"));
}

}  // namespace
}  // namespace flox::server
