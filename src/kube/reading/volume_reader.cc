#include "kube/reading/volume_reader.h"

#include "kube/reading/names.h"

namespace flox::kube {
namespace {

KeyedVolume::Item read_item(Fields& fields) {
  KeyedVolume::Item item{fields.required_text("key"), fields.required_text("path"), std::nullopt};
  if (!is_data_key(item.key))
    fields.reject("key", fmt::format("\"{}\" cannot be a key: letters, digits, -, _ and .", item.key));
  if (!is_item_path(item.path))
    fields.reject("path", "must be a path inside the volume that does not begin with \"..\"");
  if (const auto mode = fields.integer("mode", 0, 0777)) item.mode = static_cast<unsigned>(*mode);
  return item;
}

KeyedVolume read_keyed_volume(Fields& fields, bool secret) {
  KeyedVolume volume;
  volume.is_secret = secret;
  volume.object = fields.required_text(secret ? "secretName" : "name");
  volume.optional = fields.boolean("optional").value_or(false);
  volume.mode = static_cast<unsigned>(fields.integer("defaultMode", 0, 0777).value_or(0644));
  std::set<std::string> paths;
  volume.items = fields.maps("items", [&](Fields& item_fields) {
    KeyedVolume::Item item = read_item(item_fields);
    if (!paths.insert(item.path).second)
      item_fields.reject(fmt::format("the path {} is given twice", item.path));
    return item;
  });
  return volume;
}

EmptyDirVolume read_empty_dir(Fields& fields) {
  EmptyDirVolume volume;
  volume.in_memory = fields.word("medium", {"", "Memory"}) == "Memory";
  volume.size_limit = fields.quantity("sizeLimit", false);
  if (volume.size_limit && !volume.in_memory)
    fields.reject("sizeLimit",
                  "refused; a directory on disk is not limited here (with medium: Memory it is)");
  return volume;
}

HostPathVolume read_host_path(Fields& fields) {
  HostPathVolume volume{fields.required_text("path"), ""};
  if (!is_host_path(volume.path)) fields.reject("path", "must be an absolute path without \"..\"");
  volume.type = fields.word("type", {"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket",
                                     "CharDevice", "BlockDevice"});
  return volume;
}

ClaimVolume read_claim_volume(Fields& fields) {
  ClaimVolume volume{fields.required_text("claimName"), fields.boolean("readOnly").value_or(false)};
  if (!is_dns_subdomain(volume.claim))
    fields.reject("claimName", fmt::format("\"{}\" cannot be a claim's name", volume.claim));
  return volume;
}

}  // namespace

Volume read_volume(Fields& fields) {
  for (const auto& [key, value] : fields.whole().fields()) {
    const std::string& name = key.text();
    if (name != "name" && name != "emptyDir" && name != "persistentVolumeClaim" && name != "configMap" &&
        name != "secret" && name != "hostPath" && value.is_given())
      fields.context().reject(
          key, fields.path(),
          fmt::format("volume {} must be an emptyDir, persistentVolumeClaim, configMap, secret or hostPath",
                      fields.whole()["name"].text()));
  }
  Volume volume;
  volume.name = fields.required_text("name");
  if (!is_dns_label(volume.name))
    fields.reject(
        "name",
        fmt::format("\"{}\" must be of at most 63 lower-case letters, digits and inner dashes", volume.name));
  int sources = 0;
  auto source = [&](const char* key, auto read) {
    if (!fields.has(key)) return;
    if (++sources > 1) fields.reject(key, "a volume has one source");
    volume.source = fields.map(key, read);
  };
  source("emptyDir", read_empty_dir);
  source("persistentVolumeClaim", read_claim_volume);
  source("configMap", [](Fields& map) { return read_keyed_volume(map, false); });
  source("secret", [](Fields& map) { return read_keyed_volume(map, true); });
  source("hostPath", read_host_path);
  // Kubernetes' default for a volume without a source, and what `emptyDir:` with nothing behind it means.
  if (sources == 0) volume.source = EmptyDirVolume{};
  return volume;
}

}  // namespace flox::kube
