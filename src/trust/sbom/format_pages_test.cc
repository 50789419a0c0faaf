// What docs/formats/package.md says holds for this code.
#include <gtest/gtest.h>

#include "testing/format_page.h"
#include "trust/sbom/package_file.h"

namespace flox::trust {
namespace {

TEST(PackagePage, ShowsAFileThatIsReadAndWritten) {
  const std::string text = format_example("package.md", "package");
  const PackageFile file = PackageFile::parse(text);
  ASSERT_EQ(file.packages.size(), 2u);
  EXPECT_EQ(file.packages[0].license, "(GPL-2.0-or-later OR Artistic-1.0) AND MIT");
  EXPECT_EQ(file.to_string(), text);
}

}  // namespace
}  // namespace flox::trust
