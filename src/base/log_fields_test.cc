#include "base/log_fields.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/data/json.h"

namespace flox::log {
namespace {

TEST(LogFields, ALineHasThoseOfItsThreadAndWithoutValueNone) {
  const Fields pod{{"namespace", "shop"}, {"pod", "web-1"}, {"trace_id", ""}};
  {
    const Fields container{{"container", "main"}};
    EXPECT_EQ(text_line("info", Fields::current(), "prepared"),
              "info namespace=shop pod=web-1 container=main prepared");
  }
  EXPECT_EQ(text_line("info", Fields::current(), "prepared"), "info namespace=shop pod=web-1 prepared");
  std::thread([] { EXPECT_EQ(text_line("info", Fields::current(), "prepared"), "info prepared"); }).join();
}

TEST(LogFields, WhatAPodCallsItselfIsNoOtherField) {
  const Fields hostile{{"pod", "a pod=\"b\"\n\x1b[2J"}};
  EXPECT_EQ(text_line("info", Fields::current(), "x"),
            "info pod=\"a pod=\\\"b\\\"\xef\xbf\xbd\xef\xbf\xbd[2J\" x");
}

TEST(LogFields, AsJsonALineIsAnObject) {
  const Fields pod{{"pod", "a\\\"b"}, {"trace_id", "0af7"}};
  const auto line = parse_json(
      json_line("2026-11-29T23:10:43.434Z", "warning", Fields::current(), "he said \"no\""), "line");
  EXPECT_EQ(line, nlohmann::json({{"time", "2026-11-29T23:10:43.434Z"},
                                  {"level", "warning"},
                                  {"pod", "a\\\"b"},
                                  {"trace_id", "0af7"},
                                  {"message", "he said \"no\""}}));
}

}  // namespace
}  // namespace flox::log
