// What the command line names, as objects.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kube/reading/manifest.h"

namespace flox::kube {

// `files`: files, directories of them, or "-" for standard input. `kustomizations`: directories. Throw Error;
// invalid_input if there is no object in any of them.
std::vector<Manifest> read_input(const std::vector<std::string>& files,
                                 const std::vector<std::string>& kustomizations, const ReadOptions& options,
                                 std::vector<std::string>& notes);
// The documents, `List` objects taken apart, each with what it was read from. No field of theirs is looked
// at.
struct InputDocument {
  nlohmann::json json;
  std::string source;
};
std::vector<InputDocument> read_input_documents(const std::vector<std::string>& files);
// Only what the objects are called, whatever else they say.
std::vector<ObjectKey> read_input_keys(const std::vector<std::string>& files,
                                       const std::vector<std::string>& kustomizations,
                                       const std::string& default_namespace);

// A file of manifests, which is limited in size. Throws Error.
std::string read_manifest_file(const std::filesystem::path& path);

}  // namespace flox::kube
