#include "oci/image_layout.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/file.h"
#include "oci/tar.h"

namespace flox::oci {
namespace {

using nlohmann::json;

json add_blob(ImageLayout& layout, const std::string& media_type, const std::string& content) {
  std::string hex = to_hex(bytes_of(sha256(content)));
  layout.blobs[hex] = content;
  return {{"mediaType", media_type}, {"digest", "sha256:" + hex}, {"size", content.size()}};
}

json add_image(ImageLayout& layout, const Image& image, const std::string& architecture) {
  std::string files;
  if (image.layer.empty()) {
    Tar tar([&](std::string_view bytes) { files += bytes; });
    for (const auto& [path, content] : image.files) tar.add_file(path, content, 0755);
    tar.finish();
  }
  json layer =
      add_blob(layout, "application/vnd.oci.image.layer.v1.tar", image.layer.empty() ? files : image.layer);

  json settings = {{"Env", image.env}};
  if (!image.working_directory.empty()) settings["WorkingDir"] = image.working_directory;
  if (!image.entrypoint.empty()) settings["Entrypoint"] = image.entrypoint;
  if (!image.command.empty()) settings["Cmd"] = image.command;
  if (!image.labels.empty()) settings["Labels"] = image.labels;
  json config = {{"architecture", architecture},
                 {"os", "linux"},
                 {"config", settings},
                 {"created", "1970-01-01T00:00:00Z"},
                 {"rootfs", {{"type", "layers"}, {"diff_ids", {layer["digest"]}}}}};
  json manifest = {{"schemaVersion", 2},
                   {"mediaType", manifest_media_type},
                   {"config", add_blob(layout, "application/vnd.oci.image.config.v1+json", config.dump())},
                   {"layers", {layer}}};
  json descriptor = add_blob(layout, manifest_media_type, manifest.dump());
  layout.manifests[image.name] = descriptor["digest"].get<std::string>().substr(std::strlen("sha256:"));
  descriptor["annotations"] = {
      {"io.containerd.image.name", image.name},
      {"org.opencontainers.image.ref.name", image.name.substr(image.name.rfind(':') + 1)}};
  descriptor["platform"] = {{"architecture", architecture}, {"os", "linux"}};
  return descriptor;
}

}  // namespace

ImageLayout make_image_layout(const std::vector<Image>& images, const std::string& architecture) {
  ImageLayout layout;
  json index = {{"schemaVersion", 2},
                {"mediaType", "application/vnd.oci.image.index.v1+json"},
                {"manifests", json::array()}};
  for (const auto& image : images) index["manifests"].push_back(add_image(layout, image, architecture));
  layout.index = index.dump();
  return layout;
}

void write_image_archive(const std::filesystem::path& file, const ImageLayout& layout) {
  std::string bytes;
  Tar tar([&](std::string_view part) { bytes += part; });
  tar.add_file("oci-layout", oci_layout_file, 0644);
  tar.add_file("index.json", layout.index, 0644);
  for (const auto& [hex, content] : layout.blobs) tar.add_file("blobs/sha256/" + hex, content, 0644);
  tar.finish();
  write_file(file, bytes);
}

std::string current_architecture() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "amd64";
#endif
}

}  // namespace flox::oci
