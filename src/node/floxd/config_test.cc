#include "node/floxd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/explain.h"

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

TEST_F(ConfigFile, with_a_misspelt_key_gets_the_nearest_one_suggested) {
  try {
    load("gc_min_fre = \"20G\"\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.advice(), HasSubstr("Did you mean gc_min_free?"));
  }
}

TEST_F(ConfigFile, that_is_no_toml_is_refused_and_does_not_end_the_process) {
  for (const char* text : {"root = ", "[`x]", "[[\"", "root.`"}) EXPECT_THROW(load(text), Error) << text;
}

TEST_F(ConfigFile, with_an_ill_typed_value_is_refused) {
  for (const char* text : {"root = 5", "metrics_address = 9808", "pod_install = 1", "pod_requests = true",
                           "pod_requests = 1.5", "isolation = false", "caches = [1]"})
    EXPECT_THROW(load(text), Error) << text;
  for (const char* text : {"root = [\"/a\"]", "metrics_address = \"9808\"", "store_view = \"all\""})
    EXPECT_THROW(load(text), Error) << text;
  EXPECT_EQ(load("pod_requests = 3\n").pod_requests, 3u);
  EXPECT_FALSE(load("pod_install = false\n").pod_install);
}

TEST_F(ConfigFile, that_holds_a_token_is_its_owner_s_only) {
  const std::string text = "catalog_token = \"s3cret\"\n";
  try {
    load(text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("s3cret")));
    EXPECT_THAT(error.advice(), HasSubstr("catalog_token_file"));
  }
  fs::permissions(dir_.path() / "config.toml", fs::perms::owner_read);
  EXPECT_EQ(Config::load().token().reveal(), "s3cret");
}

TEST_F(ConfigFile, names_the_file_of_the_token_which_is_read_when_it_is_needed) {
  const fs::path file = dir_.path() / "token";
  Config config = load(fmt::format("catalog_token_file = \"{}\"\n", file.string()));
  EXPECT_THROW(config.token(), Error);
  write_file(file, "s3cret\n", 0644);
  EXPECT_THROW(config.token(), Error);
  write_file(file, "s3cret\n", 0600);
  EXPECT_EQ(config.token().reveal(), "s3cret");
  setenv("FLOX_CATALOG_TOKEN", "other", 1);
  EXPECT_EQ(Config::load().token().reveal(), "other");
  unsetenv("FLOX_CATALOG_TOKEN");
}

TEST_F(ConfigFile, gives_namespaces_their_environments) {
  EXPECT_EQ(load("namespace_environments = [\"ml=web@1.0\", \"b=c\"]\n").namespace_environments.at("ml"),
            "web@1.0");
  EXPECT_THROW(load("namespace_environments = [\"web\"]\n"), Error);
}

TEST_F(ConfigFile, takes_sizes_shares_and_durations) {
  const Config config = load(
      "gc_min_free = \"20G\"\ngc_target_free = \"25%\"\ngc_keep_newer = \"12h\"\nstore_lock_timeout = "
      "\"5s\"\n");
  EXPECT_EQ(config.gc_min_free.of(1), 20ULL << 30);
  EXPECT_EQ(config.gc_target_free.of(1000), 250u);
  EXPECT_EQ(config.gc_keep_newer, std::chrono::hours(12));
  EXPECT_EQ(config.store_lock_timeout, std::chrono::seconds(5));
  for (const char* text : {"gc_min_free = \"much\"", "gc_min_free = \"101%\"", "gc_min_free = \"-1\"",
                           "gc_keep_newer = \"soon\"", "gc_keep_newer = \"1y\"", "gc_min_free = \"1X\""})
    EXPECT_THROW(load(text), Error) << text;
}

TEST(Config, declares_every_key_once_and_with_a_default_that_reads_as_itself) {
  Config config, again;
  std::set<std::string> keys, variables, options;
  for (const SettingGroup* group : config.groups())
    for (const Setting& setting : group->settings()) {
      EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
      EXPECT_TRUE(variables.insert(setting.variable).second) << setting.variable;
      EXPECT_TRUE(setting.option.empty() || options.insert(setting.option).second) << setting.option;
      setting.set_from_text(setting.fallback);
    }
  const auto changed = config.groups();
  for (size_t i = 0; i < changed.size(); ++i)
    for (size_t j = 0; j < changed[i]->settings().size(); ++j)
      EXPECT_EQ(changed[i]->settings()[j].value(), again.groups()[i]->settings()[j].value());
}

TEST(Config, explains_every_key_with_its_type_default_and_variable) {
  Config config;
  const std::string text = explain_settings(config.groups());
  for (const SettingGroup* group : config.groups())
    for (const Setting& setting : group->settings()) EXPECT_THAT(text, HasSubstr("  " + setting.key + " "));
  EXPECT_THAT(text, HasSubstr("type: duration; default: 15m; variable: FLOX_POD_REQUEST_TIME"));
}

}  // namespace
}  // namespace flox
