#include "store/fetch/installer.h"

#include <gtest/gtest.h>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

class InstallerTest : public RealiseTest {
 protected:
  RealiseOptions how(bool is_private) {
    RealiseOptions how = options({url("cache")});
    how.is_private = is_private;
    how.known_public = &known_;
    return how;
  }
  bool is_public(const StorePath& path) {
    return known_.contains(LocalStore(temp_.path() / "publisher").query(path).value());
  }

  PublicPaths known_{temp_.path() / "public", [](std::string_view) { return true; }};
};

TEST_F(InstallerTest, what_a_cache_shows_to_everybody_is_known_as_public) {
  LocalStore store(node());
  realise(store, {*app_}, how(false));
  for (const auto& path : {*app_, *lib_, *base_}) EXPECT_TRUE(is_public(path));
}

TEST_F(InstallerTest, what_a_cache_shows_to_somebodys_token_is_not) {
  LocalStore store(node());
  realise(store, {*lib_}, how(true));
  realise(store, {*app_}, how(false));
  EXPECT_TRUE(is_public(*app_));
  EXPECT_FALSE(is_public(*lib_)) << "it was there, and nobody asked for it without the token";
  EXPECT_FALSE(is_public(*base_));
}

TEST_F(InstallerTest, what_cannot_be_written_down_as_public_is_installed_all_the_same) {
  fs::create_directories(temp_.path() / "directory/in-the-way");
  PublicPaths none(temp_.path() / "directory", [](std::string_view) { return true; });
  RealiseOptions options = how(false);
  options.known_public = &none;
  LocalStore store(node());
  realise(store, {*app_}, options);
  EXPECT_TRUE(store.is_valid(*app_));
  EXPECT_FALSE(none.contains(store.query(*app_).value()));
}

class RememberedNarinfoTest : public HttpRealiseTest {
 protected:
  PublicPaths known_{temp_.path() / "public", [](std::string_view) { return true; }};
};

// Whoever fetched it first may have done so with a login of its own.
TEST_F(RememberedNarinfoTest, is_no_proof_that_a_path_is_public) {
  RealiseOptions how = http_options();
  {
    LocalStore store(node());
    realise(store, {*app_}, how);
  }
  forget_paths_but_not_answers();
  how.known_public = &known_;
  LocalStore store(node());
  realise(store, {*app_}, how);
  const PathInfo info = store.query(*app_).value();
  EXPECT_FALSE(known_.contains(info));
}

}  // namespace
}  // namespace flox::store
