#include "shim/io/shim_log.h"

#include <gtest/gtest.h>

namespace flox::shim {
namespace {

TEST(ShimLog, ALineAboutAContainerNamesItsPodAndItsTrace) {
  EXPECT_EQ(to_fields({.pod_namespace = "shop", .pod = "web-1", .container = "main", .trace_id = "0af7"}),
            " namespace=\"shop\" pod=\"web-1\" container=\"main\" trace_id=\"0af7\"");
  EXPECT_EQ(to_fields({}), "");
}

TEST(ShimLog, WhatAPodCallsItselfCannotBeAnotherField) {
  EXPECT_EQ(to_fields({.pod = "a\" pod=\"b\n\x1b"}), " pod=\"a\\\" pod=\\\"b\\n\\x1b\"");
}

TEST(ShimLog, KnowsAContainerUntilItIsForgotten) {
  open_log("sandbox", false);
  known_container("c1", {.pod_namespace = "shop", .pod = "web-1", .container = "main", .trace_id = "0af7"});
  testing::internal::CaptureStderr();
  log_warning_of("c1", "about it");
  log_warning("about the pod");
  forget_container("c1");
  log_warning_of("c1", "later");
  const std::string lines = testing::internal::GetCapturedStderr();
  const std::string pod = " id=sandbox runtime=flox namespace=\"shop\" pod=\"web-1\"";
  EXPECT_NE(lines.find("msg=\"about it\"" + pod + " container=\"main\" trace_id=\"0af7\"\n"),
            std::string::npos)
      << lines;
  EXPECT_NE(lines.find("msg=\"about the pod\"" + pod + "\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("msg=\"later\"" + pod + "\n"), std::string::npos) << lines;
}

}  // namespace
}  // namespace flox::shim
