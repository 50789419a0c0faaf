#include "base/trace/span.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace flox::trace {
namespace {

class Kept : public SpanSink {
 public:
  void add(SpanRecord record) noexcept override { spans.push_back(std::move(record)); }
  bool samples() noexcept override { return samples_all; }
  std::vector<SpanRecord> spans;
  bool samples_all = true;
};

std::optional<Context> caller(bool is_sampled) {
  return Context{.trace = new_trace_id(), .span = new_span_id(), .is_sampled = is_sampled};
}

TEST(Span, parts_are_inside_what_they_are_parts_of) {
  Kept kept;
  {
    Span request(&kept, "request", Kind::server, std::nullopt);
    { const Span part("database", Kind::client); }
    {
      const Span part("files");
      const Span inner("read");
    }
    request.rename("GET /x");
    request.set("http.route", "/x");
    request.set("http.response.status_code", 200);
  }
  ASSERT_EQ(kept.spans.size(), 4U);
  const auto& [database, read, files, request] =
      std::tie(kept.spans[0], kept.spans[1], kept.spans[2], kept.spans[3]);
  EXPECT_EQ(request.name, "GET /x");
  EXPECT_EQ(request.parent, SpanId{});
  EXPECT_EQ(database.parent, request.id);
  EXPECT_EQ(files.parent, request.id);
  EXPECT_EQ(read.parent, files.id);
  for (const auto& span : kept.spans) {
    EXPECT_EQ(span.trace, request.trace);
    EXPECT_LE(span.begin, span.end);
    EXPECT_FALSE(span.has_failed);
  }
  EXPECT_FALSE(Span::current());
}

TEST(Span, a_callers_trace_is_carried_on_whether_it_is_recorded_or_not) {
  Kept kept;
  const auto sampled = caller(true);
  {
    const Span request(&kept, "request", Kind::server, sampled);
    EXPECT_EQ(Span::current()->trace, sampled->trace);
    EXPECT_NE(Span::current()->span, sampled->span);
  }
  ASSERT_EQ(kept.spans.size(), 1U);
  EXPECT_EQ(kept.spans[0].parent, sampled->span);
  const auto other = caller(false);
  {
    const Span request(&kept, "request", Kind::server, other);
    const Span part("part");
    EXPECT_EQ(Span::current()->to_string(), other->to_string());
    const Span nowhere(nullptr, "request", Kind::server, sampled);
    EXPECT_EQ(Span::current()->to_string(), sampled->to_string());
  }
  EXPECT_EQ(kept.spans.size(), 1U);
}

TEST(Span, without_a_sink_and_a_caller_nothing_happens) {
  const Span request(nullptr, "request", Kind::server, std::nullopt);
  const Span part("part");
  EXPECT_FALSE(Span::current());
  EXPECT_FALSE(part.is_recorded());
}

TEST(Span, what_is_not_sampled_is_a_trace_that_nobody_records) {
  Kept kept;
  kept.samples_all = false;
  {
    const Span request(&kept, "request", Kind::server, std::nullopt);
    const Span part("part");
    ASSERT_TRUE(Span::current());
    EXPECT_FALSE(Span::current()->is_sampled);
  }
  EXPECT_TRUE(kept.spans.empty());
}

TEST(Span, what_an_exception_ends_has_failed) {
  Kept kept;
  try {
    const Span request(&kept, "request", Kind::server, std::nullopt);
    const Span part("part");
    throw std::runtime_error("no");
  } catch (const std::runtime_error&) {
  }
  ASSERT_EQ(kept.spans.size(), 2U);
  EXPECT_TRUE(kept.spans[0].has_failed && kept.spans[1].has_failed);
  try {
    Span request(&kept, "request", Kind::server, std::nullopt);
    request.judge(false);  // the caller's fault
    throw std::runtime_error("no");
  } catch (const std::runtime_error&) {
    EXPECT_FALSE(kept.spans.back().has_failed);
  }
}

}  // namespace
}  // namespace flox::trace
