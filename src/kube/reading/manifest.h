// Reading Kubernetes manifests: YAML with any number of documents → documents (JSON, what is stored) → typed
// objects.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kube/reading/objects.h"

namespace flox::kube {

struct Manifest {
  Object object;
  nlohmann::json json;
};

struct ReadOptions {
  std::string default_namespace = "default";  // of objects without one, unless their kind has none
  std::set<std::string> ignored_kinds;        // such objects are left out with a note, whatever they say
};

// Every document of a text, `List` objects taken apart and empty documents left out. Throws
// Error(invalid_input) "SOURCE:LINE:COLUMN: …" for bad YAML.
std::vector<nlohmann::json> read_documents(std::string_view text, const std::string& source);

// The typed objects of a text. What has no effect here is one line each in `notes`. Throws
// Error(invalid_input) "SOURCE:LINE:COLUMN: …" for what is not known, and for what restricts and is not
// supported.
std::vector<Manifest> read_manifests(std::string_view text, const std::string& source,
                                     const ReadOptions& options, std::vector<std::string>& notes);
// The same of a document that has been read, as from a kustomization; nothing if its kind is left out.
std::optional<Manifest> read_manifest(const nlohmann::json& document, const std::string& source,
                                      const ReadOptions& options, std::vector<std::string>& notes);

// The names of a text's objects, whatever else it says of them. Throws Error(invalid_input).
std::vector<ObjectKey> read_keys(std::string_view text, const std::string& source,
                                 const std::string& default_namespace);
ObjectKey read_key(const nlohmann::json& document, const std::string& source,
                   const std::string& default_namespace);

// A document that has been read before, from the store: no notes, and the source is only for messages.
Object read_object(const nlohmann::json& document, const std::string& source);

}  // namespace flox::kube
