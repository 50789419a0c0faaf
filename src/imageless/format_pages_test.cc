// The examples of docs/formats/environment-image.md.
#include <gtest/gtest.h>

#include "imageless/image_marker.h"
#include "testing/format_page.h"

namespace flox::imageless {
namespace {

TEST(EnvironmentImagePage, shows_a_marker) {
  const auto marker = parse_image_marker(format_example("environment-image.md", "marker"));
  ASSERT_TRUE(marker);
  EXPECT_EQ(marker->environment, "acme/web:3");
}

}  // namespace
}  // namespace flox::imageless
