// The nodes that say that they run an environment, as far as a caller may see them
// (docs/reference/catalog-api.md, "Nodes").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/api/context.h"
#include "server/records/node_reports.h"

namespace flox::server {

// For one request, at its time. Whether the caller may see the environment is looked at before.
class VisibleNodes {
 public:
  // The context must outlive it.
  VisibleNodes(const ApiContext& context, const Caller& caller, const std::string& owner,
               const std::string& name);

  // Those whose names the caller may see: of the owners whose private things it may read. By owner, node and
  // generation, at most `most`, those after that one.
  std::vector<SeenOnNode> some(size_t most, const std::optional<SeenOnNode>& after = {}) const;
  // How many others run it; nothing if the caller may not know that.
  std::optional<int64_t> others() const;

 private:
  const NodeReports& nodes_;
  bool sees_number_;
  NodeReports::Query query_;
};

}  // namespace flox::server
