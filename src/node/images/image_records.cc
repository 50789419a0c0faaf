#include "node/images/image_records.h"

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/data/random.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

constexpr size_t key_size = 32;          // bytes
constexpr size_t most_records = 10'000;  // a node has some hundred images
constexpr size_t largest_record = 8 << 20;
constexpr const char* key_file = "key";
constexpr std::string_view suffix = ".json";

std::string key_in(const Directory& directory) {
  if (directory.exists(key_file)) {
    std::string key = directory.read_file(key_file, key_size);
    if (key.size() == key_size) return key;
  }
  std::string key = random_bytes(key_size);
  directory.write_file(key_file, key, 0600);
  return key;
}

Directory private_directory(const fs::path& path) {
  fs::create_directories(path.parent_path());
  return Directory(path.parent_path()).make_directory(path.filename().string(), 0700);
}

}  // namespace

ImageRecords::ImageRecords(const fs::path& directory) : directory_(directory) {
  const Directory files = private_directory(directory_);
  key_ = key_in(files);
  for (const std::string& name : files.names(2 * most_records)) {
    if (!name.ends_with(suffix)) continue;
    try {
      EnvironmentImage image = image_from_json(parse_json(files.read_file(name, largest_record), name), name);
      if (image.id + std::string(suffix) != name || image.id != id_of(image))
        fail(ErrorKind::invalid_input, "{}: it is the record of another image", name);
      add(std::move(image));
    } catch (const Error& error) {
      log::warning("{}: {}: the image must be pulled again", directory_.string(), error.what());
    }
  }
}

void ImageRecords::add(EnvironmentImage image) {
  auto kept = std::make_shared<KeptImage>();
  kept->layout = layout_of(image);
  kept->manifest = manifest_digest(kept->layout);
  kept->image = std::move(image);
  const std::string& id = kept->image.id;
  for (const auto& [hex, bytes] : kept->layout.blobs) by_blob_.insert_or_assign(hex, id);
  by_id_.insert_or_assign(id, Entry{kept, Clock::now()});
}

std::shared_ptr<const KeptImage> ImageRecords::keep(EnvironmentImage image) {
  image.id = id_of(image);
  const std::string id = image.id;
  const std::scoped_lock lock(mutex_);
  if (const auto known = by_id_.find(id);
      known != by_id_.end() && to_json(known->second.kept->image) == to_json(image)) {
    known->second.asked_at = Clock::now();
    return known->second.kept;
  }
  if (by_id_.size() >= most_records)
    throw Error(ErrorKind::unavailable, fmt::format("this node keeps {} images already", by_id_.size()),
                "Remove images that are not used: crictl rmi --prune.");
  private_directory(directory_).write_file(id + std::string(suffix), to_json(image).dump() + "\n", 0600);
  add(std::move(image));
  return by_id_.at(id).kept;
}

std::shared_ptr<const KeptImage> ImageRecords::find(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  found->second.asked_at = Clock::now();
  return found->second.kept;
}

std::shared_ptr<const KeptImage> ImageRecords::with_blob(const std::string& hex) const {
  std::string id;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = by_blob_.find(hex);
    if (found == by_blob_.end()) return nullptr;
    id = found->second;
  }
  return find(id);
}

void ImageRecords::forget_unused(const fs::path& content, Clock::duration grace,
                                 const std::function<void(const std::string&)>& forgotten) {
  if (std::error_code error; !fs::is_directory(content, error)) return;
  const std::scoped_lock lock(mutex_);
  for (auto entry = by_id_.begin(); entry != by_id_.end();) {
    const KeptImage& kept = *entry->second.kept;
    std::error_code error;
    const bool is_there = fs::exists(content / kept.manifest, error) || error;
    if (is_there || Clock::now() - entry->second.asked_at < grace) {
      ++entry;
      continue;
    }
    private_directory(directory_).remove(entry->first + std::string(suffix));
    forgotten(entry->first);
    for (const auto& [hex, bytes] : kept.layout.blobs) by_blob_.erase(hex);
    entry = by_id_.erase(entry);
  }
}

}  // namespace flox::node
