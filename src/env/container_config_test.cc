#include "env/container_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace flox::env {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

ContainerConfig of(const json& config) { return container_config({{"containerize", {{"config", config}}}}); }

TEST(ContainerConfig, has_what_the_manifest_says) {
  const ContainerConfig config = of({{"user", "1000:1000"},
                                     {"exposed-ports", {"8080", "53/udp"}},
                                     {"cmd", {"web", "--fast"}},
                                     {"volumes", {"/data"}},
                                     {"working-dir", "/srv"},
                                     {"labels", {{"org.example", "x"}}},
                                     {"stop-signal", "SIGINT"}});
  EXPECT_EQ(config.user, "1000:1000");
  EXPECT_THAT(config.exposed_ports, ElementsAre("8080/tcp", "53/udp"));
  EXPECT_THAT(config.command, ElementsAre("web", "--fast"));
  EXPECT_THAT(config.volumes, ElementsAre("/data"));
  EXPECT_EQ(config.working_directory, "/srv");
  EXPECT_EQ(config.labels.at("org.example"), "x");
  EXPECT_EQ(config.stop_signal, "SIGINT");
}

TEST(ContainerConfig, may_be_missing) {
  EXPECT_TRUE(container_config(json::object()).command.empty());
  EXPECT_TRUE(container_config({{"containerize", json::object()}}).user.empty());
}

TEST(ContainerConfig, that_means_nothing_is_refused_by_its_name) {
  for (const auto& [config, name] :
       std::vector<std::pair<json, std::string>>{{{{"usr", "x"}}, "usr"},
                                                 {{{"user", 5}}, "user"},
                                                 {{{"exposed-ports", {"http"}}}, "exposed-ports"},
                                                 {{{"exposed-ports", {"70000"}}}, "exposed-ports"},
                                                 {{{"exposed-ports", {"80/icmp"}}}, "exposed-ports"},
                                                 {{{"volumes", {"data"}}}, "volumes"},
                                                 {{{"cmd", "web"}}, "cmd"},
                                                 {{{"labels", {{"a", 1}}}}, "labels.a"}})
    try {
      of(config);
      ADD_FAILURE() << config;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
}

}  // namespace
}  // namespace flox::env
