#include "env/services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "env/manifest.h"

namespace flox::env {
namespace {

using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

std::string complaint_about(const std::string& services) {
  try {
    Manifest::parse("version = 1\n" + services, "manifest.toml");
    return "nothing";
  } catch (const Error& error) {
    return error.what();
  }
}

Services services_of(const std::string& toml, std::string_view system = "x86_64-linux") {
  return services_from_json(Manifest::parse("version = 1\n" + toml, "manifest.toml").json["services"],
                            system);
}

TEST(Services, are_read_with_all_that_they_may_have) {
  const Services services = services_of(R"([services]
auto-start = true
[services.db]
command = "postgres"
vars.PGPORT = "9001"
[services.cache]
command = "start"
is-daemon = true
shutdown.command = "stop"
[services.mac]
command = "x"
systems = ["aarch64-darwin"]
)");
  EXPECT_TRUE(services.auto_start);
  ASSERT_THAT(services.by_name, UnorderedElementsAre(Key("db"), Key("cache")));
  EXPECT_EQ(services.by_name.at("db").vars.at("PGPORT"), "9001");
  EXPECT_TRUE(services.by_name.at("cache").is_daemon);
  EXPECT_EQ(services.by_name.at("cache").shutdown_command, "stop");
  EXPECT_EQ(parse_services(to_text(services)), services);
}

TEST(Services, that_are_wrong_are_refused_with_their_place) {
  EXPECT_THAT(complaint_about("services = 1"), HasSubstr("manifest.toml:2:12: [services] must be a table"));
  EXPECT_THAT(complaint_about("[services]\nauto-start = 1"),
              HasSubstr("manifest.toml:3:14: [services] auto-start must be"));
  EXPECT_THAT(complaint_about("[services]\nauto-strat = true"),
              HasSubstr("manifest.toml:3:14: [services] auto-strat must be a table"));
  EXPECT_THAT(complaint_about("[services.a]"), HasSubstr("needs a command"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 1"),
              HasSubstr("manifest.toml:3:11: [services] a.command must be"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nvar.A = '1'"),
              HasSubstr("unknown key 'var' in [services] a"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nvars.A = 1"),
              HasSubstr("[services] a.vars.A must be a string"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nvars.'A=B' = '1'"),
              HasSubstr("cannot be a variable"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nis-daemon = 1"),
              HasSubstr("manifest.toml:4:13: [services] a.is-daemon must be true or false"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nshutdown.comand = ''"),
              HasSubstr("unknown key 'comand'"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nsystems = 'x'"),
              HasSubstr("must be a list of strings"));
  for (const char* name : {"../a", "a/b", "-n", ".a", " a", "a ", "a\tb", ""})
    EXPECT_THAT(complaint_about(fmt::format("[services.'{}']\ncommand = 'x'", name)),
                HasSubstr("cannot name a service"));
  EXPECT_EQ(complaint_about("[services.'with space']\ncommand = 'x'"), "nothing");  // as Flox has them
}

TEST(Services, say_what_they_wait_for_and_how_they_end) {
  const std::string toml = R"([services.db]
command = "postgres"
shutdown = { signal = 2, timeout-seconds = 30 }
[services.migrate]
command = "migrate"
depends-on.db = { condition = "process_started" }
[services.web]
command = "serve"
depends-on.migrate.condition = "process_completed_successfully"
depends-on.mac.condition = "process_completed"
[services.mac]
command = "x"
systems = ["aarch64-darwin"]
)";
  const Services services = services_of(toml);
  EXPECT_EQ(services.by_name.at("db").shutdown_signal, 2);
  EXPECT_EQ(services.by_name.at("db").shutdown_limit, std::chrono::seconds(30));
  EXPECT_EQ(services.by_name.at("migrate").shutdown_signal, 15);
  EXPECT_EQ(services.by_name.at("migrate").depends_on,
            (std::map<std::string, StartCondition>{{"db", StartCondition::process_started}}));
  // What is for other systems only is not waited for.
  EXPECT_EQ(
      services.by_name.at("web").depends_on,
      (std::map<std::string, StartCondition>{{"migrate", StartCondition::process_completed_successfully}}));
  EXPECT_EQ(services_of(toml, "").by_name.at("web").depends_on.size(), 2u);
  EXPECT_EQ(parse_services(to_text(services)), services);
}

TEST(Services, keep_what_flox_puts_into_systemds_units) {
  EXPECT_TRUE(services_of("[services.a]\ncommand = 'x'\nsystemd.service = { restart = 'Always' }\n"
                          "[services.a.systemd.unit]\nafter = ['network.target']\n")
                  .by_name.contains("a"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nsystemd = 'x'"),
              HasSubstr("manifest.toml:4:11: [services] a.systemd must be a table"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nsystemd.service = 'x'"),
              HasSubstr("[services] a.systemd.service must be a table"));
  EXPECT_THAT(complaint_about("[services.a]\ncommand = 'x'\nsystemd.sevice.restart = 'No'"),
              HasSubstr("unknown key 'sevice' in [services] a.systemd"));
}

TEST(Services, that_wait_for_what_never_comes_or_end_in_no_way_are_refused) {
  const auto one = [](const std::string& rest) {
    return complaint_about("[services.a]\ncommand = 'x'\n" + rest);
  };
  EXPECT_THAT(one("depends-on = ['b']"),
              HasSubstr("manifest.toml:4:14: [services] a.depends-on must be a table"));
  EXPECT_THAT(one("depends-on.b = 'process_started'"),
              HasSubstr("manifest.toml:4:16: [services] a.depends-on.b must be"));
  EXPECT_THAT(one("depends-on.b = {}"),
              HasSubstr("condition must be one of process_started, process_completed, "));
  EXPECT_THAT(one("depends-on.b.condition = 'process_healthy'"), HasSubstr("manifest.toml:4:26: "));
  EXPECT_THAT(one("depends-on.b.conditon = 'process_started'"), HasSubstr("unknown key 'conditon'"));
  EXPECT_THAT(one("depends-on.'../b'.condition = 'process_started'"), HasSubstr("does not name a service"));
  EXPECT_THAT(one("shutdown.signal = 0"), HasSubstr("manifest.toml:4:19: "));
  EXPECT_THAT(one("shutdown.signal = 'TERM'"), HasSubstr("must be the number of a signal"));
  EXPECT_THAT(one("shutdown = { signal = 2, command = 'x' }"),
              HasSubstr("in place of which no signal is sent"));
  for (const char* limit : {"0", "-1", "1.5", "'1'", "86401"})
    EXPECT_THAT(one(fmt::format("shutdown.timeout-seconds = {}", limit)), HasSubstr("must be 1 to 86400"))
        << limit;
  EXPECT_THAT(one("shutdown = {}"), HasSubstr("needs a command, signal or timeout-seconds"));
  EXPECT_EQ(one("is-daemon = true\nshutdown.signal = 2"), "nothing");
  for (const char* text :
       {R"({"a": {"command": "x", "depends-on": {"a": {"condition": "process_started"}}}})",
        R"({"a": {"command": "x", "depends-on": {"b": {"condition": "process_started"}}}})",
        R"({"a": {"command": "x", "depends-on": {"b": {"condition": "process_started"}}},
            "b": {"command": "x", "depends-on": {"a": {"condition": "process_started"}}}})",
        R"({"a": {"command": "x", "depends-on": {"b": "process_started"}}, "b": {"command": "x"}})",
        R"({"a": {"command": "x", "shutdown": {"signal": 64}}})",
        R"({"a": {"command": "x", "shutdown": {"timeout-seconds": 1e300}}})"})
    EXPECT_THROW(parse_services(text), Error) << text;
}

TEST(Services, of_a_lock_by_somebody_else_cannot_be_what_nobody_can_run) {
  for (const char* text :
       {R"({"../x": {"command": "x"}})", R"({"x": {"command": ""}})", R"({"x": {}})",
        R"({"x": {"command": "x\u0000"}})", R"({"x": {"command": "x", "vars": {"": "1"}}})"})
    EXPECT_THROW(parse_services(text), Error) << text;
  std::string many = "{";
  for (int i = 0; i < 300; ++i) many += fmt::format(R"({}"s{}": {{"command": "x"}})", i == 0 ? "" : ",", i);
  EXPECT_THROW(parse_services(many + "}"), Error);
  EXPECT_EQ(parse_services("[]"), Services{});
}

}  // namespace
}  // namespace flox::env
