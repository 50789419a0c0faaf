#include "base/trace/context.h"

#include <gtest/gtest.h>

namespace flox::trace {
namespace {

constexpr const char* good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, is_written_as_it_was_read) {
  const auto context = parse_traceparent(good);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->is_sampled);
  EXPECT_EQ(hex(context->trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(hex(context->span), "b7ad6b7169203331");
  EXPECT_EQ(context->to_string(), good);
  EXPECT_FALSE(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02")->is_sampled);
}

TEST(TraceContext, of_a_later_version_what_is_known_counts) {
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what"));
  EXPECT_FALSE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what"));
}

TEST(TraceContext, what_is_none_begins_a_new_trace) {
  for (const char* bad : {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                          "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                          "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331--01",
                          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01"})
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
}

TEST(TraceContext, ids_differ) {
  EXPECT_NE(new_trace_id(), new_trace_id());
  EXPECT_NE(new_span_id(), new_span_id());
}

}  // namespace
}  // namespace flox::trace
