#include "lazy/sparse_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::lazy {
namespace {

constexpr std::string_view tree_name = "tree", chunks_name = "chunks", new_name = "new";

std::string place_of(const store::NarIndex& index, uint32_t node) {
  const std::string below = index.path_of(node);
  return below.empty() ? std::string(tree_name) : fmt::format("{}/{}", tree_name, below);
}

}  // namespace

std::shared_ptr<SparsePath> SparsePath::open(Directory directory,
                                             std::shared_ptr<const store::NarIndex> index,
                                             std::shared_ptr<FrameSource> source) {
  Fd chunks = directory.open(chunks_name, O_RDWR | O_CREAT, 0600);
  return std::shared_ptr<SparsePath>(
      new SparsePath(std::move(directory), std::move(chunks), std::move(index), std::move(source)));
}

SparsePath::SparsePath(Directory directory, Fd chunk_file, std::shared_ptr<const store::NarIndex> index,
                       std::shared_ptr<FrameSource> source)
    : directory_(std::move(directory)),
      index_(std::move(index)),
      source_(std::move(source)),
      chunks_(chunk_file, index_->chunks.size()) {
  chunk_nodes_.reserve(index_->chunks.size());
  for (uint32_t number = 0; number < index_->nodes.size(); ++number) {
    const auto& node = index_->nodes[number];
    if (!node.is_file()) continue;
    file_nodes_.push_back(number);
    bytes_ += node.size;
    chunk_nodes_.insert(chunk_nodes_.end(), node.chunk_count, number);
  }
  for (uint32_t chunk = 0; chunk < index_->chunks.size(); ++chunk)
    while (frame_chunks_.size() <= index_->chunks[chunk].frame) frame_chunks_.push_back(chunk);
  while (frame_chunks_.size() <= index_->frames.size())
    frame_chunks_.push_back(static_cast<uint32_t>(index_->chunks.size()));
}

std::shared_ptr<const SparsePath::Whole> SparsePath::whole() const {
  const std::lock_guard lock(mutex_);
  return whole_;
}

Fd SparsePath::open_node(uint32_t node) const {
  const auto in_store = [&](const Whole& whole) {
    const std::string below = index_->path_of(node);
    return whole.store.open(below.empty() ? whole.name : fmt::format("{}/{}", whole.name, below), O_RDONLY);
  };
  if (const auto whole = this->whole()) return in_store(*whole);
  try {
    return directory_.open(place_of(*index_, node), O_RDONLY);
  } catch (const Error&) {
    // It has become whole since this was asked.
    if (const auto whole = this->whole()) return in_store(*whole);
    throw;
  }
}

void SparsePath::use_store(Directory store, std::string name) {
  {
    const std::lock_guard lock(mutex_);
    whole_ = std::make_shared<const Whole>(Whole{std::move(store), std::move(name)});
    failed_.clear();
  }
  const std::lock_guard lock(making_);
  directory_.remove(tree_name);
  directory_.remove(new_name);
}

uint64_t SparsePath::bytes_here() const {
  if (whole()) return bytes_;
  uint64_t sum = 0;
  for (size_t chunk = 0; chunk < index_->chunks.size(); ++chunk)
    if (chunks_.has(chunk)) sum += index_->chunks[chunk].size;
  return sum;
}

std::vector<uint32_t> SparsePath::failed_frames() const {
  const std::lock_guard lock(mutex_);
  return {failed_.begin(), failed_.end()};
}

// Names were checked when the index was parsed, and nothing is followed. What has lost bytes on the disk,
// because somebody removed or cut it, is never made anew: its holes would be taken for what had come. Nothing
// if a store has all by now.
Fd SparsePath::open_to_write(uint32_t number) {
  const store::NarIndex::Node& node = index_->nodes[number];
  const std::string place = place_of(*index_, number);
  const std::lock_guard lock(making_);
  if (whole()) return {};
  const auto status = directory_.status(place);
  if (status && static_cast<uint64_t>(status->st_size) == node.size) return directory_.open(place, O_WRONLY);
  for (uint32_t chunk = node.first_chunk; chunk < node.first_chunk + node.chunk_count; ++chunk)
    if (status || chunks_.has(chunk)) fail(ErrorKind::internal, "{} was changed by somebody else", place);
  if (const size_t slash = place.rfind('/'); slash != std::string::npos)
    directory_.make_directory(place.substr(0, slash), 0700);
  // It gets its name when it has its size: this process may end in between.
  directory_.remove(new_name);
  Fd file = directory_.open(new_name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (ftruncate(file.get(), static_cast<off_t>(node.size)) != 0)
    fail_errno(errno, "making {} with {} bytes", place, node.size);
  directory_.rename(new_name, directory_, place);
  return file;
}

bool SparsePath::has_frame(uint32_t frame) const {
  for (uint32_t chunk = frame_chunks_[frame]; chunk < frame_chunks_[frame + 1]; ++chunk)
    if (!chunks_.has(chunk)) return false;
  return true;
}

void SparsePath::want(uint32_t file, uint64_t offset, uint64_t length, Done done) {
  if (whole()) return done(0);
  const auto& node = index_->nodes[file_nodes_.at(file)];
  const uint64_t begin = node.nar_offset + offset;
  const uint64_t end = node.nar_offset + std::min(node.size, offset + length);
  const auto first = index_->chunks.begin() + node.first_chunk;
  const auto last = first + node.chunk_count;
  auto chunk =
      std::upper_bound(first, last, begin, [](uint64_t at, const auto& one) { return at < one.nar_offset; });
  if (chunk != first) --chunk;
  std::vector<uint32_t> missing;
  for (; chunk != last && chunk->nar_offset < end; ++chunk) {
    if (chunks_.has(static_cast<size_t>(chunk - index_->chunks.begin()))) continue;
    if (missing.empty() || missing.back() != chunk->frame) missing.push_back(chunk->frame);
  }
  if (missing.empty()) return done(0);
  const uint32_t last_wanted = missing.back();
  fetch(missing, FrameSource::Urgency::now, std::move(done));
  // Who reads a file mostly reads on: the next part is on its way meanwhile.
  while (chunk != last && chunk->frame == last_wanted) ++chunk;
  if (chunk != last) want_frame(chunk->frame, [](int) {});
}

void SparsePath::want_frame(uint32_t frame, Done done) {
  if (whole() || has_frame(frame)) return done(0);
  fetch({frame}, FrameSource::Urgency::later, std::move(done));
}

void SparsePath::fetch(const std::vector<uint32_t>& frames, FrameSource::Urgency urgency, Done done) {
  const auto waiter = std::make_shared<Waiter>();
  waiter->frames = frames.size();
  waiter->done = std::move(done);
  {
    const std::lock_guard lock(mutex_);
    for (const uint32_t frame : frames) under_way_[frame].push_back(waiter);
  }
  // One that came in between is brought once more, and found there: `take` writes only what is missing.
  for (const uint32_t frame : frames)
    source_->fetch(frame, urgency, [self = shared_from_this(), frame](int error, std::string_view nar) {
      if (error == 0 && !self->take(frame, nar, error)) return false;
      self->finish(frame, error);
      return true;
    });
}

bool SparsePath::take(uint32_t frame, std::string_view nar, int& error) {
  const auto& place = index_->frames[frame];
  if (nar.size() != place.nar_size) return false;
  const auto bytes_of_chunk = [&](uint32_t chunk) {
    const auto& one = index_->chunks[chunk];
    return nar.substr(one.nar_offset - place.nar_offset, one.size);
  };
  for (uint32_t chunk = frame_chunks_[frame]; chunk < frame_chunks_[frame + 1]; ++chunk)
    if (!chunks_.has(chunk) && sha256(bytes_of_chunk(chunk)) != index_->chunks[chunk].hash) return false;
  try {
    Fd file;
    uint32_t open_now = UINT32_MAX;
    std::string place_now;
    for (uint32_t chunk = frame_chunks_[frame]; chunk < frame_chunks_[frame + 1]; ++chunk) {
      if (chunks_.has(chunk)) continue;
      if (chunk_nodes_[chunk] != open_now) {
        open_now = chunk_nodes_[chunk];
        file = open_to_write(open_now);
        if (!file) return true;
        place_now = place_of(*index_, open_now);
      }
      const uint64_t at = index_->chunks[chunk].nar_offset - index_->nodes[open_now].nar_offset;
      in_context(place_now, [&] { write_all_at(file.get(), bytes_of_chunk(chunk), at); });
      chunks_.add(chunk);
    }
  } catch (const std::exception& problem) {
    log::error("{}: {}", directory_.name(), to_error(problem).what());
    error = EIO;
  }
  return true;
}

void SparsePath::finish(uint32_t frame, int error) {
  std::vector<std::shared_ptr<Waiter>> ready;
  {
    const std::lock_guard lock(mutex_);
    if (whole_ != nullptr) error = 0;
    if (error == 0)
      failed_.erase(frame);
    else
      failed_.insert(frame);
    const auto found = under_way_.find(frame);
    if (found == under_way_.end()) return;
    for (auto& waiter : found->second) {
      if (error != 0) waiter->error = error;
      if (--waiter->frames == 0) ready.push_back(std::move(waiter));
    }
    under_way_.erase(found);
  }
  for (const auto& waiter : ready) waiter->done(waiter->error);
}

size_t SparsePath::read(uint32_t file, uint64_t offset, char* buffer, size_t length) const {
  const uint32_t node = file_nodes_.at(file);
  const Fd opened = open_node(node);
  struct stat status;
  if (fstat(opened.get(), &status) != 0 || static_cast<uint64_t>(status.st_size) != index_->nodes[node].size)
    return 0;
  size_t got = 0;
  while (got < length) {
    const ssize_t count = pread(opened.get(), buffer + got, length - got, static_cast<off_t>(offset + got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    got += static_cast<size_t>(count);
  }
  return got;
}

}  // namespace flox::lazy
