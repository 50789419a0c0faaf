// A ConfigMap or Secret as files, in the layout that Kubernetes gives such a volume: the files are in a
// directory of their own, "..data" is a link to it, and each name that a pod sees is a link through "..data".
// A change is one rename, so that a pod sees all old files or all new ones.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/os/directory.h"

namespace flox::kube {

struct KeyedFile {
  std::string content;
  unsigned mode = 0644;
};

// Brings the volume in line with the files, by their paths in it (is_item_path). With a group the files
// become the group's, and readable for it. Throws Error; then the volume is as it was.
void write_keyed_volume(const Directory& volume, const std::map<std::string, KeyedFile>& files,
                        std::optional<int64_t> group);

}  // namespace flox::kube
