// A store path on its way: its tree with sparse files, which chunks are in them, and who waits for which.
//
//   DIRECTORY/tree      the files of which something is there, where they stand in the store path, of their
//                       full sizes with holes; if the path is a file, that file
//   DIRECTORY/new       a file that has no place in the tree yet
//   DIRECTORY/chunks    which chunks are there (chunk_set.h)
//
// Once a store has all of the path, it is read from there, and DIRECTORY's files go.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/os/directory.h"
#include "lazy/chunk_set.h"
#include "lazy/contents.h"
#include "lazy/frame_source.h"
#include "store/index/nar_index.h"

namespace flox::lazy {

// Thread-safe. Nothing reads a byte of it before the SHA-256 of its chunk was compared with the index.
class SparsePath : public Contents, public std::enable_shared_from_this<SparsePath> {
 public:
  // Makes the tree in `directory`, which is empty, or uses what a predecessor of this boot made there. The
  // index is one whose signature was verified. Throws Error.
  static std::shared_ptr<SparsePath> open(Directory directory, std::shared_ptr<const store::NarIndex> index,
                                          std::shared_ptr<FrameSource> source);

  void want(uint32_t file, uint64_t offset, uint64_t length, Done done) override;
  size_t read(uint32_t file, uint64_t offset, char* buffer, size_t length) const override;

  // Makes a whole frame present when nothing more urgent is to be done.
  void want_frame(uint32_t frame, Done done);
  const store::NarIndex& index() const noexcept { return *index_; }

  // From now on all is read in `store`, which has the path under `name`, verified; what came is removed.
  void use_store(Directory store, std::string name);
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
  SparsePath(Directory directory, Fd chunk_file, std::shared_ptr<const store::NarIndex> index,
             std::shared_ptr<FrameSource> source);
  bool has_frame(uint32_t frame) const;
  void fetch(const std::vector<uint32_t>& frames, FrameSource::Urgency urgency, Done done);
  // Verifies and writes the chunks of a frame. False if one is not what the index says.
  bool take(uint32_t frame, std::string_view nar, int& error);
  void finish(uint32_t frame, int error);
  std::shared_ptr<const Whole> whole() const;
  Fd open_node(uint32_t node) const;
  Fd open_to_write(uint32_t node);

  const Directory directory_;
  const std::shared_ptr<const store::NarIndex> index_;
  const std::shared_ptr<FrameSource> source_;
  std::vector<uint32_t> file_nodes_;    // of each regular file, in the NAR's order
  std::vector<uint32_t> chunk_nodes_;   // the node of each chunk
  std::vector<uint32_t> frame_chunks_;  // the first chunk of each frame, and the number of all
  uint64_t bytes_ = 0;
  ChunkSet chunks_;
  std::mutex making_;  // files
  mutable std::mutex mutex_;
  std::shared_ptr<const Whole> whole_;                                            // null: it is on its way
  std::set<uint32_t> failed_;                                                     // frames
  std::unordered_map<uint32_t, std::vector<std::shared_ptr<Waiter>>> under_way_;  // by frame
};

}  // namespace flox::lazy
