#include "kubectl/pod/fields.h"

#include <gtest/gtest.h>

namespace flox::kubectl {
namespace {

TEST(FieldsTest, TimesAreThoseOfKubernetes) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:01Z"), 1000);
  EXPECT_EQ(parse_time("2026-11-29T23:10:43Z"), 1795993843000);
  EXPECT_EQ(parse_time("2026-11-29T23:10:43.123456Z"), 1795993843123);
  for (const char* wrong :
       {"", "2026-11-29", "2026-11-29T23:10:43", "2026-13-29T23:10:43Z", "2026-02-30T00:00:00Z",
        "2026-11-29T24:10:43Z", "2026-11-29T23:10:43.Z", "2026-11-29T23:10:43Z ", "x026-11-29T23:10:43Z"})
    EXPECT_EQ(parse_time(wrong), std::nullopt) << wrong;
}

TEST(FieldsTest, APathIntoWhatIsNotThereIsEmpty) {
  const nlohmann::json value{{"a", {{"b", "text"}, {"n", -3}, {"f", 1.5}}}, {"l", {1}}};
  EXPECT_EQ(text_at(value, {"a", "b"}), "text");
  EXPECT_EQ(text_at(value, {"a", "b", "c"}), "");
  EXPECT_EQ(number_at(value, {"a", "n"}), -3);
  EXPECT_EQ(number_at(value, {"a", "f"}), 0);
  EXPECT_EQ(list_at(value, {"a"}).size(), 0U);
  EXPECT_EQ(list_at(value, {"l"}).size(), 1U);
}

}  // namespace
}  // namespace flox::kubectl
