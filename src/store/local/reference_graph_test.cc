#include "store/local/reference_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "store/testing/published_store.h"

namespace flox::store {
namespace {

using testing::IsEmpty;

TEST_F(CareTest, references_are_answered_from_memory_as_from_the_database) {
  std::vector<StorePath> paths{add("p0", "0")};
  for (int i = 1; i < 25; ++i)
    paths.push_back(add(fmt::format("p{}", i), paths[static_cast<size_t>(i / 2)].to_string(),
                        {paths[static_cast<size_t>(i / 2)]}));
  const ReferenceGraph graph = store_.references();
  EXPECT_EQ(graph.size(), 25u);
  const auto end = graph.find(paths[24]);
  ASSERT_TRUE(end);
  EXPECT_EQ(graph.closure({paths[24]}), store_.closure({paths[24]}));
  EXPECT_EQ(store_.closure(StorePathSet(paths.begin(), paths.end())).size(), 25u);
  const auto chain = graph.chain(*end, *graph.find(paths[0]));
  EXPECT_EQ(chain.size(), 6u);  // 24, 12, 6, 3, 1, 0
  EXPECT_THAT(graph.chain(*graph.find(paths[0]), *end), IsEmpty());
  const auto order = graph.referrers_first();
  EXPECT_EQ(order.back(), *graph.find(paths[0]));
  EXPECT_EQ(store_.find(paths[7].digest()), paths[7]);
  EXPECT_EQ(store_.find(std::string(32, '0')), std::nullopt);
  EXPECT_THROW(graph.closure({StorePath::from_base_name(std::string(32, '1') + "-x")}), Error);
}

}  // namespace
}  // namespace flox::store
