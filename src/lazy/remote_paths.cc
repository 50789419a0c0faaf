#include "lazy/remote_paths.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "lazy/frames_job.h"
#include "nix/cache_layout.h"
#include "nix/narinfo.h"
#include "store/fetch/trust.h"

namespace flox::lazy {
namespace {

using nlohmann::json;

// What the other process writes, this one reads.
constexpr const char* answer_name = "the fetcher's answer";

}  // namespace

// A cache's own words about a path, signed by a trusted key.
struct RemotePaths::Candidate {
  size_t cache = 0;
  nix::NarInfo narinfo;
};

RemotePaths::RemotePaths(std::vector<std::string> caches, nix::TrustedKeys keys, IsolationPolicy policy)
    : caches_(std::move(caches)),
      keys_(std::move(keys)),
      service_(frames_service(caches_, policy, at_once)) {}

std::vector<RemotePaths::Candidate> RemotePaths::candidates(const nix::StorePath& path) {
  std::vector<Candidate> result;
  const json found = parse_json(ask(json{{"query", path.base_name()}}.dump()), answer_name);
  if (!found.is_array() || found.empty())
    throw Error(ErrorKind::not_found, "no cache has it",
                "Run 'flox config --explain caches' to see which caches are asked.");
  std::optional<Error> first;  // that was wrong with one, which is told if no other is right
  for (const json& one : found) {
    const auto cache = member(one, "cache", answer_name).get<size_t>();
    if (cache >= caches_.size()) fail(ErrorKind::internal, "{} names cache {}", answer_name, cache);
    try {
      in_context(fmt::format("cache {}", caches_[cache]), [&] {
        Candidate candidate{cache, nix::NarInfo::parse(string_member(one, "narinfo", answer_name), path)};
        store::check_trust(candidate.narinfo.info, keys_, false);
        if (!candidate.narinfo.index_hash || candidate.narinfo.compression != "zstd") return;
        if (keys_.index_signer_of(candidate.narinfo).empty())
          fail(ErrorKind::untrusted, "its index is not signed by a trusted key");
        result.push_back(std::move(candidate));
      });
    } catch (const Error& error) {
      if (!first) first = error;
    }
  }
  if (result.empty() && first) throw Error(*first);
  if (result.empty())
    throw Error(ErrorKind::unavailable, "it has no index in any cache",
                "Run 'flox store index' on the cache, or publish the package again.");
  return result;
}

std::shared_ptr<const store::NarIndex> RemotePaths::index_of(const Candidate& candidate) {
  const nix::NarInfo& narinfo = candidate.narinfo;
  const std::string file =
      ask(json{{"cache", candidate.cache}, {"index", nix::index_file_name(*narinfo.index_hash)}}.dump());
  if (sha256(file) != *narinfo.index_hash)
    fail(ErrorKind::untrusted, "the index is not the one that was signed");
  auto index = std::make_shared<const store::NarIndex>(store::NarIndex::unpack(file));
  index->require_is_of(narinfo);
  return index;
}

RemotePath RemotePaths::find(const nix::StorePath& path) {
  return in_context(path.to_string(), [&] {
    std::optional<RemotePath> result;
    std::optional<Error> first;  // as above
    for (const Candidate& candidate : candidates(path)) {
      try {
        const auto index = in_context(fmt::format("cache {}", caches_[candidate.cache]),
                                      [&] { return index_of(candidate); });
        // Chunks may be cut otherwise in the next cache; the same NAR in the same frames is another place for
        // them.
        if (result && result->index->file_hash != index->file_hash) continue;
        if (!result) result = RemotePath{.info = candidate.narinfo.info, .index = index, .places = {}};
        result->places.push_back(place(candidate, index));
      } catch (const Error& error) {
        if (!first) first = error;
      }
    }
    if (!result) throw Error(*first);
    return std::move(*result);
  });
}

FrameQueue::Bring RemotePaths::place(const Candidate& candidate,
                                     std::shared_ptr<const store::NarIndex> index) {
  return [this, cache = candidate.cache, path = candidate.narinfo.info.path, url = candidate.narinfo.url,
          index](uint32_t number) {
    const store::NarIndex::Frame& frame = index->frames.at(number);
    return ask(json{{"path", path.base_name()},
                    {"cache", cache},
                    {"url", url},
                    {"first", frame.file_offset},
                    {"size", frame.file_size},
                    {"nar_size", frame.nar_size}}
                   .dump());
  };
}

}  // namespace flox::lazy
