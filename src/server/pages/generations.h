// Which environment and generation a page is about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/pages/context.h"

namespace flox::server {

struct EnvironmentAddress {
  std::string owner, name;
  std::string text() const { return owner + "/" + name; }
  // Its page, that of one of its generations, and the one that compares two.
  Address page() const { return {"environments", owner, name}; }
  Address page(int64_t generation) const { return page().with("generation", std::to_string(generation)); }
  Address difference() const { return {"environments", owner, name, "difference"}; }
};

// Of the path. Throws Error: invalid_input for what is no such name, not_found if the caller may not see it.
EnvironmentAddress environment_of(const PagesContext& pages, const Call& call);
// The generation that a member of the query names; the latest for an empty one. Throws Error(not_found).
Generation generation_of(const PagesContext& pages, const EnvironmentAddress& environment,
                         const std::string& number);
// The next older one that the environment has: rules of retention remove some.
std::optional<int64_t> generation_before(const PagesContext& pages, const EnvironmentAddress& environment,
                                         int64_t number);

}  // namespace flox::server
