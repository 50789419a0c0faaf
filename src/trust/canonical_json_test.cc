#include "trust/canonical_json.h"

#include <gtest/gtest.h>

#include "base/data/json.h"
#include "testing/error_of.h"

namespace flox::trust {
namespace {

std::string canonical(std::string_view text) { return canonical_json(parse_json(text, "text")); }

TEST(CanonicalJson, SortsMembersAndLeavesNothingBetweenTokens) {
  EXPECT_EQ(canonical(R"( { "b" : [ 1, 2 , {} ], "a" : { "z": null, "y": true }, "B": [] } )"),
            R"({"B":[],"a":{"y":true,"z":null},"b":[1,2,{}]})");
}

TEST(CanonicalJson, EscapesQuotesAndBackslashesOnly) {
  EXPECT_EQ(canonical(R"("a\"b\\c\n\u00e9\u0001/")"), "\"a\\\"b\\\\c\n\u00e9\u0001/\"");
}

TEST(CanonicalJson, KeepsIntegersOfAnySign) {
  EXPECT_EQ(canonical("[0, -7, 18446744073709551615]"), "[0,-7,18446744073709551615]");
}

TEST(CanonicalJson, RefusesNumbersThatAreNoIntegers) {
  EXPECT_EQ(error_of([] { canonical("[1.0]"); }), "a number that is no integer has no canonical form");
  EXPECT_EQ(error_of([] { canonical("1e3"); }), "a number that is no integer has no canonical form");
}

}  // namespace
}  // namespace flox::trust
