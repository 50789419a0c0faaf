// What reads the bytes of caches for paths that come lazily: a confined process that answers questions
// (confined_service.h, docs/explanation/isolation.md).
//
//   {"query": "HASH-NAME"}                        which caches have the path: a JSON array of what their
//   narinfos say
//   {"cache": N, "index": "nar/….index.zst"}      the index's file
//   {"path": "HASH-NAME", "cache": N, "url": URL, "first": N, "size": N, "nar_size": N}    what that part of
//   a NAR file decompresses to
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/confined/confined_service.h"

namespace flox::lazy {

// Makes the job known; for main(), before run_confined_job().
void add_frames_job();

// The service for these caches (CacheUrl), whose questions are as above. `policy` says what holds where the
// kernel cannot isolate it.
ConfinedService::Options frames_service(const std::vector<std::string>& caches, IsolationPolicy policy,
                                        unsigned threads);

}  // namespace flox::lazy
