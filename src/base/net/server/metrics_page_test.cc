// The page of metrics, as Prometheus reads it.
#include "base/net/server/metrics_page.h"

#include <gmock/gmock.h>

namespace flox {
namespace {

using testing::HasSubstr;

TEST(MetricsPage, shows_each_metric_with_its_help_type_and_labels) {
  MetricsPage page;
  page.counter("a_total", "Things.").Increment(3);
  page.gauges("b", "Other things.").Add({{"kind", "not \"found\""}}).Set(0.25);
  EXPECT_THAT(page.text(), HasSubstr("# HELP a_total Things.\n# TYPE a_total counter\na_total 3\n"));
  EXPECT_THAT(page.text(), HasSubstr("# TYPE b gauge\nb{kind=\"not \\\"found\\\"\"} 0.25\n"));
}

TEST(MetricsPage, writes_whole_numbers_whole) {
  MetricsPage page;
  page.gauge("bytes", "Of a large disk.").Set(9'007'199'254'740'992.0);
  EXPECT_THAT(page.text(), HasSubstr("\nbytes 9007199254740992\n"));
}

TEST(MetricsPage, shows_what_a_server_counts_behind_a_prefix) {
  HttpServerCounters counters;
  counters.connections = 2;
  counters.evicted_total = 5;
  const std::string text = metrics_text(counters, "x_http_");
  EXPECT_THAT(text, HasSubstr("# TYPE x_http_connections gauge\nx_http_connections 2\n"));
  EXPECT_THAT(
      text,
      HasSubstr("# TYPE x_http_connections_evicted_total counter\nx_http_connections_evicted_total 5\n"));
}

}  // namespace
}  // namespace flox
