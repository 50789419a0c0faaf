#include "node/images/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::node {
namespace {

TEST(ImageReferenceTest, names_an_environment_a_package_or_a_store_path) {
  EXPECT_EQ(environment_of_image("flox.local/acme/web:3"), "acme/web:3");
  EXPECT_EQ(environment_of_image("flox.local/acme/web"), "acme/web");
  EXPECT_EQ(environment_of_image("flox.local/acme/web:latest"), "acme/web");
  EXPECT_EQ(environment_of_image("flox.local/acme/web:3@sha256:00"), "acme/web:3");
  EXPECT_EQ(environment_of_image("flox.local/hello:1.0"), "hello@1.0");
  EXPECT_EQ(environment_of_image("flox.local/hello"), "hello");
  EXPECT_EQ(environment_of_image("flox.local/nix/store/22222222222222222222222222222222-p-1"),
            "/nix/store/22222222222222222222222222222222-p-1");
}

TEST(ImageReferenceTest, leaves_other_registries_alone) {
  for (const char* image : {"docker.io/flox/empty:1.0.0", "flox.localhost/a:1", "flox.local", "", "busybox",
                            "evil/flox.local/a/b:1", "flox.local:5000/a:1"})
    EXPECT_EQ(environment_of_image(image), std::nullopt) << image;
}

TEST(ImageReferenceTest, escapes_what_a_reference_cannot_have) {
  EXPECT_EQ(environment_of_image("flox.local/g__2b__2b:4__3a12.2-3__7e1"), "g++@4:12.2-3~1");
  EXPECT_EQ(environment_of_image("flox.local/a__b:1__zz"), "a__b@1__zz");
  EXPECT_EQ(environment_of_image("flox.local/a__5f_2b:1"), "a__2b@1");
}

TEST(ImageReferenceTest, refuses_what_would_name_something_else) {
  for (const char* image : {
           "flox.local/",
           "flox.local/:1",
           "flox.local/acme/web:",
           "flox.local/acme/web:x",
           "flox.local/acme/web:0",
           "flox.local/acme/web:-1",
           "flox.local/a/b/c:1",
           "flox.local/../etc:1",
           "flox.local/a__2f__2e__2e:1",
           "flox.local/a__40b:1",
           "flox.local/acme/web__3a7:latest",
           "flox.local/hello:1__402",
           "flox.local/hello:1__0a2",
           "flox.local/h__00:1",
           "flox.local/nix/store/../../etc/passwd",
           "flox.local/nix/store/22222222222222222222222222222222-p-1:2",
           "flox.local/nix/store/22222222222222222222222222222222-p__2f..__2fx",
       })
    EXPECT_THROW(environment_of_image(image), Error) << image;
  EXPECT_THROW(environment_of_image("flox.local/" + std::string(600, 'a')), Error);
}

}  // namespace
}  // namespace flox::node
