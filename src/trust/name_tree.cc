#include "trust/name_tree.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/error.h"
#include "trust/members.h"
#include "trust/metadata.h"
#include "trust/names.h"

namespace flox::trust {

std::string NameTree::to_string() const {
  nlohmann::json leaves = nlohmann::json::array();
  for (const TreeEntry& entry : entries) {
    if (const auto* leaf = std::get_if<Leaf>(&entry))
      leaves.push_back(leaf->to_json());
    else
      leaves.push_back(to_hex(bytes_of(std::get<Sha256Digest>(entry))));
  }
  return nlohmann::json{{"leaves", std::move(leaves)}, {"owner", owner}, {"timestamp", timestamp}}.dump() +
         "\n";
}

NameTree NameTree::parse(std::string_view text, std::string_view name) {
  const nlohmann::json document = parse_json(text, name, limits);
  return in_context(name, [&] {
    Members members(document);
    NameTree tree{.owner = members.text("owner"),
                  .timestamp = members.text("timestamp", timestamp_limits.bytes),
                  .entries = {}};
    check_owner(tree.owner);
    for (const nlohmann::json& entry : members.array("leaves", limits.values)) {
      if (entry.is_object()) {
        tree.entries.emplace_back(Leaf::from_json(entry));
        continue;
      }
      if (!entry.is_string()) fail(ErrorKind::invalid_input, "leaves: an entry is neither a leaf nor a hash");
      check_hex(entry.get_ref<const std::string&>(), sizeof(Sha256Digest), "a hash");
      Sha256Digest hash{};
      std::ranges::copy(from_hex(entry.get_ref<const std::string&>()), hash.begin());
      tree.entries.emplace_back(hash);
    }
    members.end();
    return tree;
  });
}

}  // namespace flox::trust
