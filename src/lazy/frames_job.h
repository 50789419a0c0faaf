// What reads the bytes of caches for paths that come lazily: a confined process that answers questions
// (confined_service.h, docs/explanation/isolation.md).
//
//   {"query": ["HASH-NAME"…]}    what caches say of each path, all of them asked at the same time: a line of
//   JSON, [{"offers": [{"cache": N, "narinfo": TEXT}…], "error": TEXT, "index": BYTES}…], then files of so
//   many bytes: the index that the first offer with one names, as far as there is room and it comes soon. The
//   answer is of the first paths, of one at least, as far as there is room: who asks asks for the others next
//   {"cache": N, "index": "nar/….index.zst"}      the index's file
//   {"path": "HASH-NAME", "cache": N, "url": URL, "first": N, "size": N, "nar_size": N}    what that part of
//   a NAR file decompresses to
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/confined/confined_service.h"

namespace flox::lazy {

// Paths of one question.
inline constexpr size_t most_queried = 64;

// Makes the job known; for main(), before run_confined_job().
void add_frames_job();

// The service for these caches (CacheUrl), whose questions are as above. `policy` says what holds where the
// kernel cannot isolate it.
ConfinedService::Options frames_service(const std::vector<std::string>& caches, IsolationPolicy policy,
                                        unsigned threads);

}  // namespace flox::lazy
