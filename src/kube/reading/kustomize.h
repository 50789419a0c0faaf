// The part of kustomize that the overlays under deploy/ need: resources (files and directories) and patches
// (strategic merge, by file or inline, with a target, names may change). Any other field of a kustomization
// is an error that advises `kubectl kustomize DIR | flox kube play -`.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace flox::kube {

// The objects of a kustomization, in the order of its resources. Throws Error.
std::vector<nlohmann::json> read_kustomization(const std::filesystem::path& directory);

// Merges a strategic merge patch into an object: maps field by field, null and `$patch: delete` remove, lists
// of containers, env, volumes, … by their merge key, other lists as a whole.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
void merge_patch(nlohmann::json& object, const nlohmann::json& patch);

}  // namespace flox::kube
