// The examples of docs/formats/environment-image.md.
#include <gtest/gtest.h>

#include <sstream>

#include "node/images/reference.h"
#include "testing/format_page.h"

namespace flox::node {
namespace {

TEST(EnvironmentImagePage, says_what_references_name) {
  std::istringstream examples(format_example("environment-image.md", "references"));
  std::string image, environment;
  int count = 0;
  for (; examples >> image >> environment; ++count) EXPECT_EQ(environment_of_image(image), environment);
  EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace flox::node
