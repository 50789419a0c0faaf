#include "oci/closure/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::oci {
namespace {

using nix::PathInfo;
using nix::StorePath;
using testing::ElementsAre;

StorePath path(char digit, const std::string& name) {
  return StorePath::parse("/nix/store/" + std::string(32, digit) + "-" + name);
}

const StorePath libc = path('1', "libc"), ssl = path('2', "ssl"), web = path('3', "web"),
                note = path('4', "note"), link = path('5', "link"), profile = path('6', "profile");

// profile → web → ssl → libc, and two small ones.
std::vector<PathInfo> closure() {
  const auto info = [](const StorePath& of, uint64_t size, nix::StorePathSet references) {
    PathInfo one{.path = of};
    one.nar_size = size;
    one.references = std::move(references);
    return one;
  };
  return {info(profile, 9 << 20, {web, note, link}),
          info(web, 1 << 20, {web, ssl}),
          info(ssl, 1 << 20, {libc}),
          info(libc, 2 << 20, {}),
          info(note, 10, {libc}),
          info(link, 10, {})};
}

TEST(Layers, begin_with_what_most_need) {
  EXPECT_THAT(layers_of(closure(), profile),
              ElementsAre(ElementsAre(libc), ElementsAre(ssl), ElementsAre(web), ElementsAre(note, link),
                          ElementsAre(profile)));
}

TEST(Layers, are_no_more_than_engines_take) {
  EXPECT_THAT(layers_of(closure(), profile, 3),
              ElementsAre(ElementsAre(libc), ElementsAre(ssl, web, note, link), ElementsAre(profile)));
  EXPECT_THROW(layers_of(closure(), profile, 2), Error);
}

TEST(Layers, do_not_depend_on_the_order_of_the_closure) {
  auto other = closure();
  std::ranges::reverse(other);
  EXPECT_EQ(layers_of(other, profile), layers_of(closure(), profile));
}

}  // namespace
}  // namespace flox::oci
