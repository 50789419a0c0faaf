// A store path on its way: what has come of it (part_file.h), and who waits for which part. Once a store has
// all of the path, it is read from there, and the file goes.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/os/directory.h"
#include "lazy/contents.h"
#include "lazy/frame_source.h"
#include "lazy/part_file.h"
#include "store/index/file_range.h"
#include "store/index/nar_index.h"

namespace flox::lazy {

// Thread-safe. Nothing reads a byte of it before the SHA-256 of its chunk was compared with the index.
class SparsePath : public Contents, public std::enable_shared_from_this<SparsePath> {
 public:
  // What comes goes into the file of this name in `directory`, with what a predecessor of this boot has
  // there. The index is one whose signature was verified. Throws Error.
  static std::shared_ptr<SparsePath> open(std::shared_ptr<const Directory> directory, std::string name,
                                          std::shared_ptr<const store::NarIndex> index,
                                          std::shared_ptr<FrameSource> source);

  void want(uint32_t file, uint64_t offset, uint64_t length, Done done) override;
  size_t read(uint32_t file, uint64_t offset, char* buffer, size_t length) const override;

  // Makes a whole frame present when nothing more urgent is to be done.
  void want_frame(uint32_t frame, Done done);
  // Makes bytes of a regular file present before somebody waits for them, if they are in it.
  void want_soon(uint32_t file, uint64_t begin, uint64_t end);
  // The parts of its files that readers have wanted, chunk by chunk, as far as they have `most` bytes of text
  // and numbers; in the NAR's order.
  std::vector<store::FileRange> wanted(size_t most) const;
  const store::NarIndex& index() const noexcept { return *index_; }

  // From now on all is read in `store`, which has the path under `name`, verified; what came is removed.
  void use_store(Directory store, std::string name);
  // Nobody reads it any more: what came is removed, and what is still to come is not written, so that the
  // file's name is free for another one.
  void drop() { part_.remove(); }
  // Bytes of files that are here now, and of all.
  uint64_t bytes_here() const;
  uint64_t bytes() const noexcept { return bytes_; }
  // Frames for which somebody waited in vain and that have not come since.
  std::vector<uint32_t> failed_frames() const;
  std::string last_failure() const { return source_->last_failure(); }

 private:
  struct Whole {
    Directory store;
    std::string name;
  };
  struct Waiter {
    size_t frames = 0;  // that have not come yet
    int error = 0;
    Done done;
  };
  SparsePath(std::shared_ptr<const Directory> directory, std::string name,
             std::shared_ptr<const store::NarIndex> index, std::shared_ptr<FrameSource> source);
  bool has_frame(uint32_t frame) const;
  // The chunks of a file that have bytes from `begin` to `end`.
  std::pair<uint32_t, uint32_t> chunks_of(uint32_t file, uint64_t begin, uint64_t end) const;
  void fetch(const std::vector<uint32_t>& frames, FrameSource::Urgency urgency, Done done);
  // Verifies and writes the chunks of a frame. False if one is not what the index says.
  bool take(uint32_t frame, std::string_view nar, int& error);
  void finish(uint32_t frame, int error);
  std::shared_ptr<const Whole> whole() const;

  const std::shared_ptr<const Directory> directory_;
  const std::shared_ptr<const store::NarIndex> index_;
  const std::shared_ptr<FrameSource> source_;
  std::vector<uint32_t> file_nodes_;    // of each regular file, in the NAR's order
  std::vector<uint32_t> frame_chunks_;  // the first chunk of each frame, and the number of all
  uint64_t bytes_ = 0;
  PartFile part_;
  std::vector<std::atomic<bool>> wanted_;  // chunks that readers have wanted
  mutable std::mutex mutex_;
  std::shared_ptr<const Whole> whole_;                                            // null: it is on its way
  std::set<uint32_t> failed_;                                                     // frames
  std::unordered_map<uint32_t, std::vector<std::shared_ptr<Waiter>>> under_way_;  // by frame
};

}  // namespace flox::lazy
