// What the writer of a shared store answers, and readers ask.
#include "fuzz.h"
#include "node/shared/messages.h"

namespace flox::fuzz::of_shared_store {

void one(std::string_view input) {
  shared::v1::RealiseAnswer answer;
  if (!answer.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  node::failure_of(answer.failure());
  std::vector<nix::PathInfo> rows;
  if (!accepts([&] { rows = node::rows_of(answer.profile()); })) return;
  const auto root = nix::StorePath::parse(answer.profile().root());
  const auto again = node::rows_of(node::closure_message(root, rows));
  require(again.size() == rows.size(), "no path is lost on the way");
  for (size_t i = 0; i < rows.size(); ++i)
    require(again[i].fingerprint() == rows[i].fingerprint(), "a path is what it was");
}

}  // namespace flox::fuzz::of_shared_store
