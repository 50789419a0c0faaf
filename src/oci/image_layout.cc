#include "oci/image_layout.h"

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/archive_library.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

using nlohmann::json;

// A ustar archive in memory; all entries have fixed times and owners.
class Tar {
 public:
  Tar() : archive_(libarchive().write_new(), libarchive().write_free) {
    libarchive().write_set_format_ustar(archive_.get());
    libarchive().write_set_bytes_in_last_block(archive_.get(), 1);
    libarchive().write_open2(archive_.get(), &bytes_, nullptr, &append, nullptr, nullptr);
  }
  void add(const std::string& path, const std::string& content, unsigned mode) {
    std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(libarchive().entry_new(),
                                                                   libarchive().entry_free);
    libarchive().entry_set_pathname(entry.get(), path.c_str());
    libarchive().entry_set_filetype(entry.get(), AE_IFREG);
    libarchive().entry_set_perm(entry.get(), static_cast<mode_t>(mode));
    libarchive().entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    libarchive().entry_set_mtime(entry.get(), 0, 0);
    if (libarchive().write_header(archive_.get(), entry.get()) != ARCHIVE_OK ||
        libarchive().write_data(archive_.get(), content.data(), content.size()) !=
            static_cast<la_ssize_t>(content.size()))
      fail(ErrorKind::internal, "writing {} into an archive: {}", path,
           libarchive().error_string(archive_.get()));
  }
  std::string finish() {
    libarchive().write_close(archive_.get());
    return std::move(bytes_);
  }

 private:
  static la_ssize_t append(archive*, void* bytes, const void* data, size_t size) {
    static_cast<std::string*>(bytes)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }
  std::string bytes_;
  std::unique_ptr<archive, int (*)(archive*)> archive_;
};

json add_blob(ImageLayout& layout, const std::string& media_type, const std::string& content) {
  std::string hex = to_hex(bytes_of(sha256(content)));
  layout.blobs[hex] = content;
  return {{"mediaType", media_type}, {"digest", "sha256:" + hex}, {"size", content.size()}};
}

json add_image(ImageLayout& layout, const Image& image, const std::string& architecture) {
  Tar files;
  for (const auto& [path, content] : image.files) files.add(path, content, 0755);
  json layer = add_blob(layout, "application/vnd.oci.image.layer.v1.tar",
                        image.layer.empty() ? files.finish() : image.layer);

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
  Tar tar;
  tar.add("oci-layout", R"({"imageLayoutVersion":"1.0.0"})", 0644);
  tar.add("index.json", layout.index, 0644);
  for (const auto& [hex, content] : layout.blobs) tar.add("blobs/sha256/" + hex, content, 0644);
  write_file(file, tar.finish());
}

std::string current_architecture() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "amd64";
#endif
}

}  // namespace flox::oci
