// Kubernetes manifests in YAML.
#include "fuzz.h"
#include "kube/manifest.h"

namespace flox::fuzz {

void one(std::string_view input) {
  const std::string text(input);
  std::vector<std::string> notes;
  std::vector<kube::Manifest> manifests;
  accepts([&] { kube::read_documents(text, "fuzz.yaml"); });
  if (!accepts([&] { manifests = kube::read_manifests(text, "fuzz.yaml", "default", notes); })) return;
  for (const auto& manifest : manifests) {
    const kube::Object stored = kube::read_object(manifest.json, "state");  // what was kept can be read again
    require(stored.kind == manifest.object.kind && stored.metadata.name == manifest.object.metadata.name &&
                stored.body.index() == manifest.object.body.index(),
            "an object that was kept is the same");
  }
}

}  // namespace flox::fuzz
