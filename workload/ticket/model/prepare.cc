#include "ticket/model/prepare.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "ticket/model/checkpoint_identity.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/prepared_file.h"
#include "ticket/model/prepared_writer.h"

namespace ticket::model {

namespace fs = std::filesystem;
using flox::ErrorKind;

namespace {

constexpr const char* unfinished = ".preparing-";
constexpr const char* put_aside = ".damaged-";

void make_directory_for_models(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) flox::fail_errno(error.value(), "making the directory {}", directory.string());
}

bool is_whole(const PreparedModel& model) {
  try {
    check_neighbours(model.directory, model.header);
    PreparedFile(model.directory / prepared_file_name).check_sections(ThreadPool::shared());
    return true;
  } catch (const flox::Error&) {
    return false;
  }
}

// Of the same level and precision: what is written takes its place.
bool has_same_place(const PreparedModel& model, const PrepareRequest& request) {
  return model.header.precision == request.precision && model.header.layout.level == request.layout.level;
}

void sync_directory(const fs::path& directory) {
  const flox::Fd fd = flox::open_file(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) flox::fail_errno(errno, "bringing {} to the disk", directory.string());
}

// Out of its place by one rename: nobody who comes now finds half of it, and who has it mapped keeps it.
void remove_state(const fs::path& directory) {
  flox::TempDir aside(put_aside, directory.parent_path());
  if (::rename(directory.c_str(), (aside.path() / "state").c_str()) != 0 && errno != ENOENT)
    flox::fail_errno(errno, "removing {}", directory.string());
}

// Held until it goes; nothing where the file system has no locks.
flox::Fd lock_folder(const fs::path& folder) {
  const fs::path locks = folder.parent_path() / ".locks";
  make_directory_for_models(locks);
  flox::Fd fd = flox::open_file(locks / (folder.filename().string() + ".lock"), O_RDWR | O_CREAT, 0666);
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return {};  // ENOLCK, EOPNOTSUPP
  return fd;
}

// What processes left that were killed; only while no other can be at work.
void remove_leftovers(const fs::path& folder) {
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(unfinished) || name.starts_with(put_aside)) left.push_back(entry.path());
  }
  for (const fs::path& path : left) flox::remove_tree(path);
}

// Writes everything into `place`, and returns the digest.
std::string write_state(const PrepareRequest& request, const fs::path& place, size_t& bytes) {
  PreparedRecorder recorder;
  const std::shared_ptr<void> model = request.load({.layout = request.layout, .recorder = &recorder});
  const fs::path checkpoint = checkpoint_file(request.snapshot);
  PreparedHeader header{.model = request.id,
                        .version = request.version,
                        .precision = request.precision,
                        .layout = request.layout,
                        .source = {.file = checkpoint.filename().string(),
                                   .bytes = fs::file_size(checkpoint),
                                   .sha256 = file_sha256(checkpoint),
                                   .sample = checkpoint_sample(checkpoint)},
                        .files = model_file_hashes(request.snapshot)};
  for (const auto& [name, hash] : header.files)
    flox::write_file_synced(place / name, flox::read_file(request.snapshot / name), 0644);
  const std::string digest = write_prepared(place / prepared_file_name, header, recorder);
  bytes = fs::file_size(place / prepared_file_name);
  if (::chmod(place.c_str(), 0755) != 0) flox::fail_errno(errno, "setting the mode of {}", place.string());
  sync_directory(place);
  return digest;
}

// Where its state belongs; whether it is there now because of this call.
bool put_in_place(const fs::path& written, const fs::path& place) {
  if (::rename(written.c_str(), place.c_str()) == 0) return true;
  if (errno != EEXIST && errno != ENOTEMPTY) flox::fail_errno(errno, "making {}", place.string());
  return false;  // its name says its content: another process was quicker
}

PrepareResult prepare_alone(const PrepareRequest& request, const fs::path& folder) {
  const PreparedChoice present = list_prepared(request.id, folder.parent_path());
  std::vector<fs::path> obsolete;
  for (const PreparedModel& model : present.usable) {
    if (!has_same_place(model, request)) continue;
    if (differs_from(model.header, request.snapshot).empty() && is_whole(model))
      return {.directory = model.directory, .bytes = model.header.bytes};
    obsolete.push_back(model.directory);
  }
  // A header that cannot be read does not say what it is for; the directory's name does.
  const std::string beginning =
      fmt::format("v{}-{}-{}-", prepared_version, to_string(request.precision), request.layout.level);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with(beginning) &&
        std::ranges::none_of(present.usable, [&](auto& model) { return model.directory == entry.path(); }))
      obsolete.push_back(entry.path());

  flox::TempDir work(unfinished, folder);
  PrepareResult result{.written = true};
  const std::string digest = write_state(request, work.path(), result.bytes);
  result.directory = folder / (beginning + digest);
  if (std::ranges::find(obsolete, result.directory) != obsolete.end()) remove_state(result.directory);
  result.written = put_in_place(work.path(), result.directory);
  if (result.written) static_cast<void>(work.release());
  sync_directory(folder);
  for (const fs::path& directory : obsolete)
    if (directory != result.directory) remove_state(directory);
  return result;
}

}  // namespace

PrepareResult prepare(const PrepareRequest& request, const fs::path& directory) {
  return flox::in_context(fmt::format("preparing {} for {} in {}", request.id, request.layout.level,
                                      to_string(request.precision)),
                          [&] {
                            const fs::path folder = directory / cache_folder_name(request.id);
                            make_directory_for_models(folder);
                            const flox::Fd lock = lock_folder(folder);
                            if (lock) remove_leftovers(folder);
                            return prepare_alone(request, folder);
                          });
}

}  // namespace ticket::model
