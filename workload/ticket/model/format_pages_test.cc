// What docs/formats/prepared-model.md shows is what this code writes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "testing/format_page.h"
#include "ticket/testing/toy_prepared.h"

namespace ticket::model {
namespace {

TEST(PreparedPage, ShowsAHeader) {
  EXPECT_EQ(flox::parse_json(flox::format_example("prepared-model.md", "header"), "example"),
            flox::parse_json(prepared_text(toy_file()), "header"));
}

}  // namespace
}  // namespace ticket::model
