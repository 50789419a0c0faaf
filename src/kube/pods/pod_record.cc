#include "kube/pods/pod_record.h"

#include <fmt/format.h>

#include <random>

#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

// No vowels and no look-alikes: names spell no words.
constexpr std::string_view letters = "bcdfghjklmnpqrstvwxz2456789";

std::mt19937_64& generator() {
  thread_local std::mt19937_64 engine = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return engine;
}

}  // namespace

json pod_document(const json& pod_template, const std::string& namespace_, const std::string& name,
                  const std::string& hash) {
  json metadata = pod_template.value("metadata", json::object());
  if (!metadata.is_object()) metadata = json::object();
  metadata["name"] = name;
  metadata["namespace"] = namespace_;
  metadata["labels"]["pod-template-hash"] = hash;
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata}, {"spec", pod_template.at("spec")}};
}

std::string template_hash(const json& pod_template) {
  uint64_t hash =
      14695981039346656037ULL;  // FNV-1a; json.dump sorts the keys, so that equal templates are equal texts
  for (const unsigned char c : pod_template.dump()) hash = (hash ^ c) * 1099511628211ULL;
  std::string text;
  for (int i = 0; i < 10; ++i, hash /= letters.size()) text += letters[hash % letters.size()];
  return text;
}

std::string random_suffix() {
  std::uniform_int_distribution<size_t> any(0, letters.size() - 1);
  std::string text;
  for (int i = 0; i < 5; ++i) text += letters[any(generator())];
  return text;
}

std::string random_uid() {
  const uint64_t high = generator()(), low = generator()();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xfff,
                     0x8000 | (low >> 48 & 0x3fff), low & 0xffffffffffff);
}

json to_json(const PodRecord& record) {
  return {{"uid", record.uid},
          {"owner_kind", record.owner_kind},
          {"owner_name", record.owner_name},
          {"template_hash", record.template_hash},
          {"created_at", record.created_at},
          {"user_base", record.user_base},
          {"document", record.document}};
}

PodRecord pod_record_from_json(const json& json) {
  PodRecord record;
  record.uid = json.at("uid");
  record.owner_kind = json.at("owner_kind");
  record.owner_name = json.at("owner_name");
  record.template_hash = json.at("template_hash");
  record.created_at = json.at("created_at");
  record.user_base = json.value("user_base", 0u);
  record.document = json.at("document");
  record.object = read_object(record.document, "pod " + record.uid);
  return record;
}

}  // namespace flox::kube
