#include "catalog/hand_over.h"

#include "base/error.h"

namespace flox::catalog {
namespace {

uint64_t version_of_root(const std::optional<std::string>& text) {
  return text ? trust::Signed<trust::Root>::parse(*text, "root.json of the catalog").content.version : 0;
}
// 0 also for one that the keys of our root have not signed: it counts no more, whatever its version is.
uint64_t version_of_targets(const std::optional<std::string>& text, const trust::Root& root) {
  if (!text) return 0;
  const auto file = trust::Signed<trust::Targets>::parse(*text, "targets.json of the catalog");
  return trust::signing_state(file, root).complete() ? file.content.version : 0;
}

}  // namespace

HandedOver hand_over(Client& catalog, const trust::OwnerRepository& owner) {
  const std::string& name = owner.owner();
  const uint64_t root = version_of_root(catalog.root(name));
  const trust::Signed<trust::Root>& newest = owner.root();
  const trust::Signed<trust::Targets>& targets = owner.targets();
  const uint64_t targets_there = version_of_targets(catalog.targets(name), newest.content);
  if (root > newest.content.version || targets_there > targets.content.version)
    throw Error(ErrorKind::conflict, fmt::format("the catalog has newer files of {} than this machine", name),
                "Publish from the machine where they were changed, or copy its directory of the owner here.");
  for (const auto& next : owner.roots())
    if (next.content.version > root) catalog.put_root(name, next.to_string());
  if (targets.content.version > targets_there) catalog.put_targets(name, targets.to_string());
  return {.root = newest.content.version,
          .targets = targets.content.version,
          .changed = root != newest.content.version || targets_there != targets.content.version};
}

}  // namespace flox::catalog
