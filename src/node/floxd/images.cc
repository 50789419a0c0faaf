#include "node/floxd/images.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "node/installer/state_names.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

// Below containerd's root, by its content store's layout (containerd's page "content flow").
constexpr const char* content_directory = "io.containerd.content.v1.content/blobs/sha256";

std::string image_holder(const std::string& id) { return std::string(image_holder_prefix) + id; }

// The package in the version that it has come to, however it was asked for: one lock, one image.
std::string pinned_package(NamedLock& named) {
  const env::LockedPackage& package = named.lock.packages.at(0);
  for (auto& [id, entry] : named.lock.manifest["install"].items()) entry["version"] = package.version;
  return fmt::format("{}@{}", package.attr_path, package.version);
}

}  // namespace

Images::Images(const Config& config, Environments& environments, const std::filesystem::path& state)
    : config_(config), environments_(environments), records_(state / state::images) {}

EnvironmentImage Images::resolve(const std::string& environment, const Secret& token) const {
  NamedLock named = environments_.lock_of(environment, nullptr, token);
  EnvironmentImage image{.id = {},
                         .environment = environment,
                         .name = named.name,
                         .generation = named.generation,
                         .lock = {},
                         .provenance = policy::provenance_of(named.origin),
                         .proved_by = catalog::to_string(named.origin),
                         .is_private = !token.empty()};
  if (named.generation) {
    catalog::EnvironmentName name = catalog::parse_environment_name(environment);
    name.generation = named.generation;
    image.environment = name.to_string();
  } else if (!environment.starts_with('/')) {
    image.environment = pinned_package(named);
  }
  image.lock = std::move(named.lock);
  return image;
}

std::shared_ptr<const KeptImage> Images::realise(EnvironmentImage image, const Secret& token) {
  const std::string holder = image_holder(records_.id_of(image));
  const auto lease = [&](const env::Lockfile& lock) {
    environments_.realise(
        lock, env::current_system(), "run", holder,
        {.limits = Environments::limits_of_container(), .check_closure = {}, .token = token});
  };
  lease(image.lock);
  log::info("image of {}: {}", image.environment, printable(image.proved_by));
  auto kept = records_.keep(std::move(image));
  // A sweep may have ended it until now, of a record that there was of the same image, which containerd had
  // removed.
  if (store::leased_paths(environments_.store(), holder).empty()) lease(kept->image.lock);
  return kept;
}

std::shared_ptr<const KeptImage> Images::of_container(const std::string& id, const std::string& environment) {
  if (auto kept = records_.find(id)) return kept;
  const char* const advice = "Delete the image on this node (crictl rmi) and the pod: it is pulled again.";
  try {
    EnvironmentImage image = resolve(environment, {});
    if (records_.id_of(image) == id) return records_.keep(std::move(image));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) throw;
    throw Error(error.kind(), fmt::format("this node has no record of its image, and {}", error.what()),
                advice);
  }
  throw Error(ErrorKind::not_found,
              fmt::format("this node has no record of its image, and {} is something else by now",
                          printable(environment, 300)),
              advice);
}

void Images::sweep() {
  records_.forget_unused(config_.containerd_root / content_directory, config_.image_keep,
                         [&](const std::string& id) {
                           store::release_lease(environments_.store(), image_holder(id));
                           log::info("lease of image {} ended: containerd has removed it", id);
                         });
}

}  // namespace flox::node
