#include "oci/closure/closure_image.h"

#include <fcntl.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "oci/image_layout.h"
#include "oci/tar.h"

namespace flox::oci {
namespace {

using nlohmann::json;

constexpr int64_t store_time = 1;   // of all files of a store; Python compares it with its compiled modules
constexpr size_t most_levels = 64;  // of directories: those of a NAR
constexpr const char* layer_media_type = "application/vnd.oci.image.layer.v1.tar";
constexpr const char* config_media_type = "application/vnd.oci.image.config.v1+json";

class LayerWriter {
 public:
  explicit LayerWriter(const Tar::Sink& sink) : tar_(sink, store_time) {}

  void add_store_path(const store::LocalStore& store, const nix::StorePath& path) {
    add_parents("nix/store/x");
    const std::filesystem::path place = store.real_path(path);
    const Directory above(place.parent_path());
    add_tree(above, place.filename().string(), path.to_string().substr(1), 0);
  }

  void add_root(const ImageRoot& root) {
    for (const auto& [path, mode] : root.directories) {
      add_parents(path);
      if (made_.insert(path).second) tar_.add_directory(path, mode);
    }
    for (const auto& [path, content] : root.files) add_parents(path), tar_.add_file(path, content, 0644);
    for (const auto& [path, target] : root.links) add_parents(path), tar_.add_link(path, target);
  }

  void finish() { tar_.finish(); }

 private:
  void add_parents(const std::string& path) {
    for (size_t at = 0; (at = path.find('/', at)) != std::string::npos; ++at)
      if (const std::string parent = path.substr(0, at); made_.insert(parent).second)
        tar_.add_directory(parent, 0755);
  }

  void add_tree(const Directory& above, const std::string& name, const std::string& path, size_t level) {
    if (level > most_levels) fail(ErrorKind::invalid_input, "/{}: more than {} levels", path, most_levels);
    const auto status = above.status(name);
    if (!status) fail(ErrorKind::not_found, "/{} is not there", path);
    if (S_ISLNK(status->st_mode)) {
      tar_.add_link(path, above.read_link(name));
    } else if (S_ISREG(status->st_mode)) {
      add_content(above, name, path, *status);
    } else if (S_ISDIR(status->st_mode)) {
      tar_.add_directory(path, 0555);
      const Directory directory = above.subdirectory(name);
      for (const std::string& inner : directory.names())
        add_tree(directory, inner, path + "/" + inner, level + 1);
    } else {
      fail(ErrorKind::untrusted, "/{} is no file, directory or link", path);
    }
  }

  void add_content(const Directory& above, const std::string& name, const std::string& path,
                   const struct stat& status) {
    const Fd file = above.open(name, O_RDONLY);
    tar_.begin_file(path, static_cast<uint64_t>(status.st_size), (status.st_mode & 0111) != 0 ? 0555 : 0444);
    uint64_t left = static_cast<uint64_t>(status.st_size);
    while (left > 0) {
      const size_t got = read_some(file.get(), buffer_.data(), std::min<uint64_t>(left, buffer_.size()));
      if (got == 0) fail(ErrorKind::unavailable, "/{} became shorter while it was read", path);
      tar_.write({buffer_.data(), got});
      left -= got;
    }
  }

  Tar tar_;
  std::set<std::string> made_;
  std::string buffer_ = std::string(256 << 10, '\0');
};

struct Blob {
  std::string hex;  // SHA-256
  uint64_t size = 0;
  json descriptor(const char* media_type) const {
    return {{"mediaType", media_type}, {"digest", "sha256:" + hex}, {"size", size}};
  }
  std::string path() const { return "blobs/sha256/" + hex; }
};

Blob blob_of(const std::function<void(const Tar::Sink&)>& write) {
  Sha256 hash;
  Blob blob;
  write([&](std::string_view bytes) {
    hash.update(bytes);
    blob.size += bytes.size();
  });
  blob.hex = to_hex(bytes_of(hash.finish()));
  return blob;
}
Blob blob_of(const std::string& text) { return {.hex = to_hex(bytes_of(sha256(text))), .size = text.size()}; }

void write_layer(const store::LocalStore& store, const ClosureImage& image, size_t number,
                 const Tar::Sink& sink) {
  LayerWriter layer(sink);
  if (number == image.layers.size()) {
    layer.add_root(image.root);
  } else {
    for (const nix::StorePath& path : image.layers[number]) layer.add_store_path(store, path);
  }
  layer.finish();
}

json set_of(const std::vector<std::string>& names) {
  json set = json::object();
  for (const std::string& name : names) set[name] = json::object();
  return set;
}

json settings_of(const ImageSettings& settings) {
  json config = {{"Env", settings.env}};
  const auto add = [&](const char* name, const auto& value, json written) {
    if (!value.empty()) config[name] = std::move(written);
  };
  add("Entrypoint", settings.entrypoint, settings.entrypoint);
  add("Cmd", settings.command, settings.command);
  add("User", settings.user, settings.user);
  add("WorkingDir", settings.working_directory, settings.working_directory);
  add("StopSignal", settings.stop_signal, settings.stop_signal);
  add("ExposedPorts", settings.exposed_ports, set_of(settings.exposed_ports));
  add("Volumes", settings.volumes, set_of(settings.volumes));
  add("Labels", settings.labels, settings.labels);
  return config;
}

std::string config_text(const ClosureImage& image, const std::vector<Blob>& layers) {
  json diff_ids = json::array();
  for (const Blob& layer : layers) diff_ids.push_back("sha256:" + layer.hex);
  return json{{"architecture", image.architecture},
              {"os", "linux"},
              {"created", "1970-01-01T00:00:01Z"},
              {"config", settings_of(image.settings)},
              {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}}
      .dump();
}

std::string manifest_text(const Blob& config, const std::vector<Blob>& layers) {
  json descriptors = json::array();
  for (const Blob& layer : layers) descriptors.push_back(layer.descriptor(layer_media_type));
  return json{{"schemaVersion", 2},
              {"mediaType", manifest_media_type},
              {"config", config.descriptor(config_media_type)},
              {"layers", descriptors}}
      .dump();
}

std::string index_text(const ClosureImage& image, const Blob& manifest) {
  json descriptor = manifest.descriptor(manifest_media_type);
  descriptor["annotations"] = {
      {"io.containerd.image.name", fmt::format("docker.io/library/{}:{}", image.name, image.tag)},
      {"org.opencontainers.image.ref.name", image.tag}};
  descriptor["platform"] = {{"architecture", image.architecture}, {"os", "linux"}};
  return json{{"schemaVersion", 2},
              {"mediaType", "application/vnd.oci.image.index.v1+json"},
              {"manifests", json::array({descriptor})}}
      .dump();
}

std::string docker_text(const ClosureImage& image, const Blob& config, const std::vector<Blob>& layers) {
  json paths = json::array();
  for (const Blob& layer : layers) paths.push_back(layer.path());
  const json one = {{"Config", config.path()},
                    {"RepoTags", json::array({image.name + ":" + image.tag})},
                    {"Layers", paths}};
  return json::array({one}).dump();
}

}  // namespace

WrittenImage write_closure_image(const store::LocalStore& store, const ClosureImage& image,
                                 const std::function<void(std::string_view)>& sink) {
  std::vector<Blob> layers;
  for (size_t number = 0; number <= image.layers.size(); ++number)
    layers.push_back(blob_of([&](const Tar::Sink& to) { write_layer(store, image, number, to); }));
  const std::string config = config_text(image, layers), manifest = manifest_text(blob_of(config), layers);
  WrittenImage written{.digest = "sha256:" + blob_of(manifest).hex, .layers = layers.size()};

  Tar tar([&](std::string_view bytes) {
    written.bytes += bytes.size();
    sink(bytes);
  });
  tar.add_file("oci-layout", oci_layout_file, 0644);
  tar.add_file("index.json", index_text(image, blob_of(manifest)), 0644);
  tar.add_file("manifest.json", docker_text(image, blob_of(config), layers), 0644);
  tar.add_file(blob_of(config).path(), config, 0644);
  tar.add_file(blob_of(manifest).path(), manifest, 0644);
  for (size_t number = 0; number < layers.size(); ++number) {
    tar.begin_file(layers[number].path(), layers[number].size, 0644);
    const Blob again = blob_of([&](const Tar::Sink& to) {
      write_layer(store, image, number, [&](std::string_view bytes) {
        to(bytes);
        tar.write(bytes);
      });
    });
    if (again.hex != layers[number].hex)
      fail(ErrorKind::conflict, "writing layer {}: its files changed while they were read", number + 1);
  }
  tar.finish();
  return written;
}

}  // namespace flox::oci
