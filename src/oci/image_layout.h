// OCI images made by us: as one tar archive, for `ctr images import`, or blob by blob, for a registry (OCI
// image spec 1.0: image-layout, manifest, config). Deterministic: the same images give the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace flox::oci {

struct Image {
  std::string name;                     // "ghcr.io/flox/flox:latest", with registry and tag
  std::string working_directory;        // may be empty
  std::vector<std::string> env;         // "NAME=VALUE"
  std::vector<std::string> entrypoint;  // may be empty
  std::vector<std::string> command;     // may be empty: the configuration's Cmd
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> files;  // path below the root → content; executable, owned by root
  std::string layer;                         // instead of `files`: its one layer, as a tar archive
};

// The content of images, in memory.
struct ImageLayout {
  std::map<std::string, std::string> blobs;      // hex SHA-256 → bytes: layers, configurations, manifests
  std::map<std::string, std::string> manifests;  // name of an image → hex SHA-256 of its manifest
  std::string index;                             // index.json
};
inline constexpr const char* oci_layout_file = R"({"imageLayoutVersion":"1.0.0"})";
inline constexpr const char* manifest_media_type = "application/vnd.oci.image.manifest.v1+json";

// Each image has one uncompressed layer, empty if it has no files. Throws Error.
ImageLayout make_image_layout(const std::vector<Image>& images, const std::string& architecture);

// Replaces `file` as a whole. Throws Error.
void write_image_archive(const std::filesystem::path& file, const ImageLayout& layout);

// "amd64" or "arm64": this machine's, as OCI names it.
std::string current_architecture();

}  // namespace flox::oci
