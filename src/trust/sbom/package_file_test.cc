#include "trust/sbom/package_file.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"

namespace flox::trust {
namespace {

const PackageFile example{
    .packages = {{.name = "web",
                  .version = "1.0-1",
                  .purl = "pkg:deb/debian/web@1.0-1?arch=amd64",
                  .license = "MIT",
                  .source = "web-src"},
                 {.name = "web-data", .version = "1.0-1", .purl = "pkg:deb/debian/web-data"}}};

TEST(PackageFile, IsReadAsItWasWritten) {
  const std::string text = example.to_string();
  EXPECT_EQ(PackageFile::parse(text).packages, example.packages);
  EXPECT_EQ(PackageFile::parse(text).to_string(), text);
}

TEST(PackageFile, OfAnotherFormatOrWithUnknownMembersIsRefused) {
  auto refused = [](const std::string& text, const char* why) {
    const std::string message = error_of([&] { PackageFile::parse(text); });
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  const std::string package = R"({"name":"a","version":"1","purl":"pkg:x/a"})";
  PackageFile::parse(R"({"format":1,"packages":[)" + package + "]}");
  refused(R"({"format":2,"packages":[)" + package + "]}", "format is not 1");
  refused(R"({"format":1,"packages":[)" + package + R"(],"more":1})", "unknown member 'more'");
  refused(R"({"format":1,"packages":[]})", "1 to 1000");
  refused(R"({"format":1,"packages":[1]})", "not an object");
  refused(R"({"format":1,"packages":[{"name":"a","version":"1","purl":"pkg:x/a","x":1}]})",
          "unknown member 'x'");
  refused(R"({"format":1,"packages":[{"name":"a b","version":"1","purl":"pkg:x/a"}]})", "'name'");
  refused(R"({"format":1,"packages":[{"name":"a","version":"\u001b[2J","purl":"pkg:x/a"}]})", "'version'");
  refused(R"({"format":1,"packages":[{"name":"a","version":"1","purl":"x"}]})", "'purl'");
  refused(R"({"format":1,"packages":[{"name":"a","version":"1","purl":"pkg:x/a","license":"mine"}]})",
          "'license'");
  refused(R"({"format":1,"packages":[{"name":"a","version":"1","purl":"pkg:x/a","source":""}]})", "'source'");
  refused("[]", "not an object");
  refused(std::string(max_package_file + 1, ' '), "bytes");
}

}  // namespace
}  // namespace flox::trust
