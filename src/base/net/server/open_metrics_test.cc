#include "base/net/server/open_metrics.h"

#include <gmock/gmock.h>

#include "base/net/server/metrics_page.h"

namespace flox {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

TEST(OpenMetrics, a_counters_family_has_its_name_without_total) {
  MetricsPage page;
  page.counter("a_total", "Things, \"all\".").Increment(3);
  page.gauges("b", "Other things.").Add({{"kind", "not \"found\"\n"}}).Set(0.25);
  const std::string text = page.open_text();
  EXPECT_THAT(text, HasSubstr("# TYPE a counter\n# HELP a Things, \\\"all\\\".\na_total 3\n"));
  EXPECT_THAT(text,
              HasSubstr("# TYPE b gauge\n# HELP b Other things.\nb{kind=\"not \\\"found\\\"\\n\"} 0.25\n"));
  EXPECT_THAT(text, EndsWith("\n# EOF\n"));
}

TEST(OpenMetrics, a_bucket_has_the_trace_of_its_last_value) {
  MetricsPage page;
  auto& family = page.histograms("t_seconds", "Time.");
  auto& first = page.traced_histogram("t_seconds", family, {{"stage", "resolve"}}, {0.01, 1});
  page.traced_histogram("t_seconds", family, {{"stage", "view"}}, {0.01, 1}).observe(0.5, {});
  first.observe(0.5, "0af7");
  first.observe(0.75, "1bc8");
  first.observe(0.001, {});
  first.observe(30, "2cd9");
  const std::string text = page.open_text();
  EXPECT_THAT(text, HasSubstr("# TYPE t_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{stage=\"resolve\",le=\"0.01\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("t_seconds_bucket{stage=\"resolve\",le=\"1.0\"} 3 # {trace_id=\"1bc8\"} 0.75 "));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{stage=\"resolve\",le=\"+Inf\"} 4 # {trace_id=\"2cd9\"} 30 "));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{stage=\"view\",le=\"1.0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_count{stage=\"resolve\"} 4\n"));
  EXPECT_THAT(page.text(), Not(HasSubstr("trace_id")));  // the older format has none
}

TEST(OpenMetrics, a_value_at_a_bound_is_below_it) {
  MetricsPage page;
  auto& family = page.histograms("t", "Time.");
  page.traced_histogram("t", family, {}, {0.25, 1}).observe(0.25, "0af7");
  EXPECT_THAT(page.open_text(), HasSubstr("t_bucket{le=\"0.25\"} 1 # {trace_id=\"0af7\"} 0.25 "));
}

TEST(OpenMetrics, is_given_to_who_takes_it) {
  EXPECT_TRUE(takes_open_metrics(
      "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_TRUE(takes_open_metrics("text/plain, application/openmetrics-text; q=0.25"));
  EXPECT_FALSE(takes_open_metrics(""));
  EXPECT_FALSE(takes_open_metrics("text/plain;version=0.0.4, */*"));
  EXPECT_FALSE(takes_open_metrics("application/openmetrics-text;q=0.0,*/*"));
}

}  // namespace
}  // namespace flox
