#include "lazy/remote_paths.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>

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

// A cache's own words about a path.
struct RemotePaths::Candidate {
  Offer offer;
  nix::NarInfo narinfo;

  bool has_index() const { return narinfo.index_hash && narinfo.compression == "zstd"; }
  std::shared_ptr<const store::NarIndex> read(std::string_view index_file) const {
    if (sha256(index_file) != *narinfo.index_hash)
      fail(ErrorKind::untrusted, "the index is not the one that was signed");
    auto index = std::make_shared<const store::NarIndex>(store::NarIndex::unpack(index_file));
    index->require_is_of(narinfo);
    return index;
  }
};

RemotePaths::RemotePaths(std::vector<std::string> caches, nix::TrustedKeys keys, IsolationPolicy policy)
    : caches_(std::move(caches)),
      keys_(std::move(keys)),
      service_(frames_service(caches_, policy, at_once)) {}

// Signed by a trusted key, and its index, if it has one that can be used, too.
RemotePaths::Candidate RemotePaths::verified(const nix::StorePath& path, const Offer& offer) const {
  if (offer.cache >= caches_.size()) fail(ErrorKind::internal, "{} names cache {}", answer_name, offer.cache);
  return in_context(fmt::format("cache {}", caches_[offer.cache]), [&] {
    Candidate candidate{offer, nix::NarInfo::parse(offer.narinfo, path)};
    store::check_trust(candidate.narinfo.info, keys_, false);
    if (candidate.has_index() && keys_.index_signer_of(candidate.narinfo).empty())
      fail(ErrorKind::untrusted, "its index is not signed by a trusted key");
    return candidate;
  });
}

std::vector<RemotePaths::Candidate> RemotePaths::candidates(const nix::StorePath& path) {
  std::vector<Candidate> result;
  const json found = parse_json(ask(json{{"query", path.base_name()}}.dump()), answer_name);
  if (!found.is_array() || found.empty())
    throw Error(ErrorKind::not_found, "no cache has it",
                "Run 'flox config --explain caches' to see which caches are asked.");
  std::optional<Error> first;  // that was wrong with one, which is told if no other is right
  for (const json& one : found) {
    const Offer offer{member(one, "cache", answer_name).get<size_t>(),
                      string_member(one, "narinfo", answer_name)};
    try {
      Candidate candidate = verified(path, offer);
      if (candidate.has_index()) result.push_back(std::move(candidate));
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

std::string RemotePaths::index_file_of(const Candidate& candidate) {
  return ask(
      json{{"cache", candidate.offer.cache}, {"index", nix::index_file_name(*candidate.narinfo.index_hash)}}
          .dump());
}

RemotePath RemotePaths::find(const nix::StorePath& path) {
  return in_context(path.to_string(), [&] {
    std::optional<RemotePath> result;
    std::optional<Error> first;  // as above
    for (const Candidate& candidate : candidates(path)) {
      try {
        in_context(fmt::format("cache {}", caches_[candidate.offer.cache]), [&] {
          std::string file = index_file_of(candidate);
          const auto index = candidate.read(file);
          // Chunks may be cut otherwise in the next cache; the same NAR in the same frames is another place
          // for them.
          if (result && result->index->file_hash != index->file_hash) return;
          if (!result)
            result = RemotePath{.info = candidate.narinfo.info,
                                .index = index,
                                .index_file = std::move(file),
                                .offers = {},
                                .places = {}};
          result->offers.push_back(candidate.offer);
          result->places.push_back(place(candidate, result->index));
        });
      } catch (const Error& error) {
        if (!first) first = error;
      }
    }
    if (!result) throw Error(*first);
    return std::move(*result);
  });
}

RemotePath RemotePaths::again(const nix::StorePath& path, std::vector<Offer> offers, std::string index_file) {
  return in_context(path.to_string(), [&] {
    if (offers.empty()) fail(ErrorKind::invalid_input, "no cache has it");
    const Candidate first = verified(path, offers.front());
    if (!first.has_index()) fail(ErrorKind::untrusted, "its index is not signed");
    RemotePath result{.info = first.narinfo.info,
                      .index = first.read(index_file),
                      .index_file = std::move(index_file),
                      .offers = std::move(offers),
                      .places = {}};
    result.places.push_back(place(first, result.index));
    // The others are places for the same frames: each chunk of them is compared anyhow.
    for (const Offer& offer : result.offers | std::views::drop(1))
      result.places.push_back(place(verified(path, offer), result.index));
    return result;
  });
}

FrameQueue::Bring RemotePaths::place(const Candidate& candidate,
                                     std::shared_ptr<const store::NarIndex> index) {
  return [this, cache = candidate.offer.cache, path = candidate.narinfo.info.path,
          url = candidate.narinfo.url, index](uint32_t number) {
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
