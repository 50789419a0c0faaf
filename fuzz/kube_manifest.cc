// Kubernetes manifests in YAML. A first byte that begins no text makes more of what follows, so that depth,
// aliases and merge keys come in numbers that no corpus holds.
#include "fuzz.h"
#include "kube/reading/manifest.h"
#include "kube/reading/yaml_documents.h"

namespace flox::fuzz::of_kube_manifest {
namespace {

// Never deeper, larger or more than the limits say, whatever stands behind aliases.
size_t measure(const kube::YamlNode& node, size_t depth, const kube::YamlLimits& limits) {
  require(depth <= limits.depth + 1, "no node is deeper than the limit");
  size_t nodes = 1;
  for (const auto& item : node.items()) nodes += measure(item, depth + 1, limits);
  for (const auto& [key, value] : node.fields()) {
    require(key.is_scalar(), "keys are words");
    nodes += 1 + measure(value, depth + 1, limits);
  }
  return nodes;
}

std::string inflate(std::string_view input) {
  if (input.empty() || static_cast<unsigned char>(input.front()) < 0x80) return std::string(input);
  const unsigned choice = take_byte(input) & 0x7f;
  const std::string text(input);
  const size_t times = 1 + (choice >> 2) * 32;
  std::string out;
  switch (choice & 3) {
    case 1:  // the same again and again: levels, documents, entries
      for (size_t i = 0; i < times; ++i) out += text;
      return out;
    case 2:  // each line an anchor that names the line before it ten times
      out = "a0: &a0 {" + text + "}\n";
      for (size_t i = 1; i < std::min<size_t>(times, 64); ++i) {
        out += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {<<: *a" + std::to_string(i - 1) +
               ", l: [";
        for (int j = 0; j < 10; ++j) out += "*a" + std::to_string(i - 1) + ", ";
        out += "]}\n";
      }
      return out;
    case 3:  // ever deeper
      for (size_t i = 0; i < times; ++i) out += std::string(i, ' ') + "a:\n";
      return out + std::string(times, ' ') + text;
    default:
      return text;
  }
}

}  // namespace

void one(std::string_view input) {
  const std::string text = inflate(input);
  const kube::YamlLimits limits;
  accepts([&] {
    size_t nodes = 0;
    for (const auto& document : kube::load_documents(text, "fuzz.yaml", limits))
      nodes += measure(document, 1, limits);
    // What a merge brings is counted at its alias, at least.
    require(nodes <= 2 * limits.nodes, "no more values than the limit");
  });
  accepts([&] { kube::read_documents(text, "fuzz.yaml"); });
  accepts([&] { kube::read_keys(text, "fuzz.yaml", "default"); });
  std::vector<std::string> notes;
  std::vector<kube::Manifest> manifests;
  if (!accepts([&] { manifests = kube::read_manifests(text, "fuzz.yaml", {}, notes); })) return;
  for (const auto& manifest : manifests) {
    const kube::Object stored = kube::read_object(manifest.json, "state");  // what was kept can be read again
    require(stored.kind == manifest.object.kind && stored.metadata.name == manifest.object.metadata.name &&
                stored.body.index() == manifest.object.body.index(),
            "an object that was kept is the same");
  }
}

}  // namespace flox::fuzz::of_kube_manifest
