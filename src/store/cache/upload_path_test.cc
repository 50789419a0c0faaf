#include "store/cache/upload_path.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "nix/listing.h"
#include "store/realise/realise.h"
#include "store/testing/published_store.h"

namespace flox::store {
namespace {

TEST_F(CareTest, every_compression_that_we_write_nix_and_we_read) {
  std::string text;
  for (unsigned i = 0; text.size() < 9'000'000; ++i) text += std::to_string(i % 5000 * 7919) + "\n";
  const StorePath large = add("large", text);
  const StorePath small = add("small", large.to_string(), {large});
  for (const char* method : {"none", "zstd", "xz"}) {
    const UploadResult result =
        upload({.key = &key_, .compression = {.method = method}, .listings = true}, {large, small});
    EXPECT_EQ(result.paths_uploaded, 2u);
    EXPECT_EQ(narinfo(large).compression, method);
    const fs::path node = temp_.path() / "node" / method;
    LocalStore other(node);
    RealiseOptions options{.caches = {cache_url()}};
    options.trusted_keys.add(key_.public_key());
    realise(other, {small}, options);
    EXPECT_EQ(read_file(other.real_path(large) / "share/text"), text);
    const Outcome copied = copy_with_nix(cache_url(), temp_.path() / "nix-node" / method, small);
    EXPECT_EQ(copied.exit_code, 0) << method << ": " << copied.err;
    fs::remove_all(temp_.path() / "cache");
  }
  EXPECT_THROW(upload({.key = &key_, .compression = {.method = "rar"}}, {small, large}), Error);
  EXPECT_THROW(upload({.key = &key_, .compression = {.method = "zstd", .level = 99}}, {small, large}), Error);
}

TEST_F(CareTest, a_listing_says_where_each_file_is_in_the_nar) {
  const StorePath a = add("a", "hello listing");
  upload({.key = &key_, .compression = {.method = "none"}, .listings = true}, {a});
  const auto listing =
      nlohmann::json::parse(read_file(temp_.path() / "cache" / (std::string(a.digest()) + ".ls")));
  const auto text = listing["root"]["entries"]["share"]["entries"]["text"];
  const std::string nar = read_file(temp_.path() / "cache" / narinfo(a).url);
  EXPECT_EQ(nar.substr(text["narOffset"], text["size"]), "hello listing");
  EXPECT_TRUE(listing["root"]["entries"]["share"]["entries"]["own"]["executable"]);
  uint64_t size = 0;
  nix::list_tree(store_.real_path(a), &size);
  EXPECT_EQ(size, nar.size());
}

}  // namespace
}  // namespace flox::store
