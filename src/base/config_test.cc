#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"

namespace flox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigFile : public testing::Test {
 protected:
  Config load(std::string_view content) {
    write_file(dir_.path() / "config.toml", content);
    setenv("FLOX_CONFIG", (dir_.path() / "config.toml").c_str(), 1);
    return Config::load();
  }
  void TearDown() override {
    unsetenv("FLOX_CONFIG");
    unsetenv("FLOX_CATALOG_URL");
  }
  TempDir dir_;
};

TEST_F(ConfigFile, sets_strings_lists_and_flags) {
  Config config =
      load("catalog_url = \"http://c\"\ntrusted_keys = [\"a:1\", \"b:2\"]\ntrust_content_addressed = true\n");
  EXPECT_EQ(config.catalog_url, "http://c");
  EXPECT_THAT(config.trusted_keys, ElementsAre("a:1", "b:2"));
  EXPECT_TRUE(config.trust_content_addressed);
}

TEST_F(ConfigFile, is_overridden_by_variables) {
  setenv("FLOX_CATALOG_URL", "http://other", 1);
  EXPECT_EQ(load("catalog_url = \"http://c\"\n").catalog_url, "http://other");
}

TEST_F(ConfigFile, with_an_unknown_key_is_refused_with_its_place) {
  try {
    load("root = \"/x\"\nrooot = \"/y\"\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("config.toml:2:"));
    EXPECT_THAT(error.what(), HasSubstr("rooot"));
  }
}

TEST_F(ConfigFile, that_is_no_toml_is_refused_and_does_not_end_the_process) {
  for (const char* text : {"root = ", "[`x]", "[[\"", "root.`"}) EXPECT_THROW(load(text), Error) << text;
}

TEST_F(ConfigFile, with_an_ill_typed_value_is_refused) { EXPECT_THROW(load("root = 5\n"), Error); }

TEST_F(ConfigFile, gives_namespaces_their_environments) {
  EXPECT_EQ(load("namespace_environments = [\"ml=web@1.0\", \"b=c\"]\n").namespace_environments.at("ml"),
            "web@1.0");
  EXPECT_THROW(load("namespace_environments = [\"web\"]\n"), Error);
}

TEST(Config, explains_every_key) {
  for (const char* name :
       {"root", "catalog_url", "trusted_keys", "pod_install", "metrics_address", "registry_address"})
    EXPECT_THAT(Config::explain(), HasSubstr(name));
}

}  // namespace
}  // namespace flox
