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

std::shared_ptr<SparsePath> SparsePath::open(std::shared_ptr<const Directory> directory, std::string name,
                                             std::shared_ptr<const store::NarIndex> index,
                                             std::shared_ptr<FrameSource> source) {
  return std::shared_ptr<SparsePath>(
      new SparsePath(std::move(directory), std::move(name), std::move(index), std::move(source)));
}

SparsePath::SparsePath(std::shared_ptr<const Directory> directory, std::string name,
                       std::shared_ptr<const store::NarIndex> index, std::shared_ptr<FrameSource> source)
    : directory_(std::move(directory)),
      index_(std::move(index)),
      source_(std::move(source)),
      part_(*directory_, std::move(name), index_->nar_size, index_->chunks.size()),
      wanted_(index_->chunks.size()) {
  for (uint32_t number = 0; number < index_->nodes.size(); ++number) {
    if (!index_->nodes[number].is_file()) continue;
    file_nodes_.push_back(number);
    bytes_ += index_->nodes[number].size;
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

void SparsePath::use_store(Directory store, std::string name) {
  {
    const std::lock_guard lock(mutex_);
    whole_ = std::make_shared<const Whole>(Whole{std::move(store), std::move(name)});
    failed_.clear();
  }
  part_.remove();
}

uint64_t SparsePath::bytes_here() const {
  if (whole()) return bytes_;
  uint64_t sum = 0;
  for (size_t chunk = 0; chunk < index_->chunks.size(); ++chunk)
    if (part_.has(chunk)) sum += index_->chunks[chunk].size;
  return sum;
}

std::vector<uint32_t> SparsePath::failed_frames() const {
  const std::lock_guard lock(mutex_);
  return {failed_.begin(), failed_.end()};
}

bool SparsePath::has_frame(uint32_t frame) const {
  for (uint32_t chunk = frame_chunks_[frame]; chunk < frame_chunks_[frame + 1]; ++chunk)
    if (!part_.has(chunk)) return false;
  return true;
}

std::pair<uint32_t, uint32_t> SparsePath::chunks_of(uint32_t file, uint64_t begin, uint64_t end) const {
  const auto& node = index_->nodes[file_nodes_.at(file)];
  const auto first = index_->chunks.begin() + node.first_chunk;
  const auto last = first + node.chunk_count;
  end = node.nar_offset + std::min(node.size, end);
  auto chunk = std::upper_bound(first, last, node.nar_offset + begin,
                                [](uint64_t at, const auto& one) { return at < one.nar_offset; });
  if (chunk != first) --chunk;
  const auto begins = static_cast<uint32_t>(chunk - index_->chunks.begin());
  while (chunk != last && chunk->nar_offset < end) ++chunk;
  return {begins, static_cast<uint32_t>(chunk - index_->chunks.begin())};
}

void SparsePath::want(uint32_t file, uint64_t offset, uint64_t length, Done done) {
  const auto [first, last] = chunks_of(file, offset, offset + length);
  for (uint32_t chunk = first; chunk < last; ++chunk) wanted_[chunk].store(true, std::memory_order_relaxed);
  if (whole()) return done(0);
  std::vector<uint32_t> missing;
  for (uint32_t chunk = first; chunk < last; ++chunk) {
    const uint32_t frame = index_->chunks[chunk].frame;
    if (!part_.has(chunk) && (missing.empty() || missing.back() != frame)) missing.push_back(frame);
  }
  if (missing.empty()) return done(0);
  fetch(missing, FrameSource::Urgency::now, std::move(done));
  // Who reads a file mostly reads on: the next part is on its way meanwhile.
  const auto& node = index_->nodes[file_nodes_.at(file)];
  uint32_t next = last;
  while (next < node.first_chunk + node.chunk_count && index_->chunks[next].frame == missing.back()) ++next;
  if (next < node.first_chunk + node.chunk_count && !has_frame(index_->chunks[next].frame))
    fetch({index_->chunks[next].frame}, FrameSource::Urgency::soon, [](int) {});
}

void SparsePath::want_soon(uint32_t file, uint64_t begin, uint64_t end) {
  if (whole() || begin >= index_->nodes[file_nodes_.at(file)].size) return;
  const auto [first, last] = chunks_of(file, begin, end);
  for (uint32_t chunk = first; chunk < last; ++chunk) {
    const uint32_t frame = index_->chunks[chunk].frame;
    if (!part_.has(chunk)) fetch({frame}, FrameSource::Urgency::soon, [](int) {});
    while (chunk + 1 < last && index_->chunks[chunk + 1].frame == frame) ++chunk;
  }
}

std::vector<store::FileRange> SparsePath::wanted(size_t most) const {
  constexpr size_t numbers = 40;  // bytes of text
  std::vector<store::FileRange> result;
  size_t size = 0;
  for (uint32_t number = 0; number < index_->nodes.size(); ++number) {
    const auto& node = index_->nodes[number];
    for (uint32_t chunk = node.first_chunk; chunk < node.first_chunk + node.chunk_count; ++chunk) {
      if (!wanted_[chunk].load(std::memory_order_relaxed)) continue;
      const uint64_t begin = index_->chunks[chunk].nar_offset - node.nar_offset;
      while (chunk + 1 < node.first_chunk + node.chunk_count && wanted_[chunk + 1]) ++chunk;
      const auto& last = index_->chunks[chunk];
      store::FileRange range{index_->path_of(number), begin, last.nar_offset + last.size - node.nar_offset};
      size += range.file.size() + numbers;
      if (size > most) return result;
      result.push_back(std::move(range));
    }
  }
  return result;
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
  const uint32_t begin = frame_chunks_[frame], end = frame_chunks_[frame + 1];
  std::vector<bool> is_missing;
  for (uint32_t number = begin; number < end; ++number) {
    const auto& chunk = index_->chunks[number];
    is_missing.push_back(!part_.has(number));
    if (is_missing.back() &&
        sha256(nar.substr(chunk.nar_offset - place.nar_offset, chunk.size)) != chunk.hash)
      return false;
  }
  // Those in a row in one write, with what the NAR has between them, which nobody reads.
  try {
    for (uint32_t first = begin; first < end; ++first) {
      if (!is_missing[first - begin]) continue;
      uint32_t last = first;
      while (last + 1 < end && is_missing[last + 1 - begin]) ++last;
      const auto &from = index_->chunks[first], &to = index_->chunks[last];
      part_.write(from.nar_offset,
                  nar.substr(from.nar_offset - place.nar_offset, to.nar_offset + to.size - from.nar_offset),
                  first, last);
      first = last;
    }
  } catch (const std::exception& problem) {
    log::error("{}: {}", directory_->name(), to_error(problem).what());
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
  const uint32_t number = file_nodes_.at(file);
  const store::NarIndex::Node& node = index_->nodes[number];
  if (!whole()) {
    const size_t got = part_.read(node.nar_offset + offset, buffer, length);
    // If it has become whole meanwhile, the store has it.
    if (got == length || !whole()) return got;
  }
  const auto whole = this->whole();
  const std::string below = index_->path_of(number);
  const Fd opened =
      whole->store.open(below.empty() ? whole->name : fmt::format("{}/{}", whole->name, below), O_RDONLY);
  struct stat status {};
  if (fstat(opened.get(), &status) != 0 || static_cast<uint64_t>(status.st_size) != node.size) return 0;
  return read_if_possible(opened, offset, buffer, length);
}

}  // namespace flox::lazy
