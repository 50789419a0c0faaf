#include "ticket/local/local_objects.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "base/os/directory.h"
#include "base/os/unfinished_file.h"

namespace ticket::local {

namespace fs = std::filesystem;
using flox::Directory;
using flox::Error;
using flox::ErrorKind;

namespace {

// The name comes with messages, from outside.
const std::string& checked_bucket(const std::string& bucket) {
  if (!flox::is_file_name(bucket) || bucket.front() == '.')
    flox::fail(ErrorKind::invalid_input, "'{}' is not the name of a bucket", bucket);
  return bucket;
}

Directory open_bucket(const fs::path& root, const std::string& bucket) {
  try {
    return Directory(root).subdirectory(checked_bucket(bucket));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    throw Error(ErrorKind::not_found, fmt::format("there is no bucket {} in {}", bucket, root.string()),
                "Run 'ticket-generator --backend … --create-resources' to create it.");
  }
}

void sync_directory(const Directory& directory) {
  if (fsync(directory.fd()) != 0) flox::fail_errno(errno, "writing {} to the disk", directory.name());
}

}  // namespace

std::string file_name(const std::string& key) {
  std::string name = flox::url_encode(key);
  if (name.starts_with('.')) name.replace(0, 1, "%2E");
  if (name.size() <= 200) return name;
  return name.substr(0, 100) + "~" + flox::to_hex(flox::bytes_of(flox::sha256(key)));
}

void create_bucket(const fs::path& root, const std::string& bucket) {
  Directory directory = Directory(root).make_directory(checked_bucket(bucket));
  const time_t old = ::time(nullptr) - 3600;
  for (const std::string& name : directory.names()) {
    if (!name.starts_with('.')) continue;  // no object's
    auto status = directory.status(name);  // another process may have removed it
    if (status && status->st_mtime < old) directory.remove(name);
  }
}

void LocalObjects::check_bucket(const std::string& bucket) { open_bucket(root_, bucket); }

std::optional<std::string> LocalObjects::get(const std::string& bucket, const std::string& key,
                                             size_t limit) {
  Directory directory = open_bucket(root_, bucket);
  try {
    return directory.read_file(file_name(key), limit);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return std::nullopt;
    // A link or a device will never be an object, however often it is tried.
    if (error.kind() == ErrorKind::untrusted) throw Error(ErrorKind::invalid_input, error.what());
    throw;
  }
}

bool LocalObjects::write(const std::string& bucket, const std::string& key, const std::string& content,
                         bool replace) {
  Directory directory = open_bucket(root_, bucket);
  const std::string name = file_name(key);
  flox::UnfinishedFile file(directory, name, 0644);
  flox::write_all(file.fd(), content);
  if (fsync(file.fd()) != 0) flox::fail_errno(errno, "writing {} to the disk", name);
  try {
    replace ? file.replace() : file.create();
  } catch (const Error& error) {
    if (!replace && error.kind() == ErrorKind::conflict) return false;
    throw;
  }
  sync_directory(directory);
  return true;
}

void LocalObjects::remove(const std::string& bucket, const std::string& key) {
  open_bucket(root_, bucket).remove(file_name(key));
}

void LocalObjects::put(const std::string& bucket, const std::string& key, const std::string& content) {
  write(bucket, key, content, true);
}

bool LocalObjects::put_if_absent(const std::string& bucket, const std::string& key,
                                 const std::string& content) {
  return write(bucket, key, content, false);
}

}  // namespace ticket::local
