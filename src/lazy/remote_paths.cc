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

// What all caches say of a path.
struct RemotePaths::Told {
  nix::StorePath path;
  std::vector<Offer> offers;
  std::string error;       // of a cache that could not be asked, or said nonsense
  std::string index_file;  // of an offer; empty: it is to be asked for
};

std::vector<RemotePaths::Told> RemotePaths::ask_for(const std::vector<nix::StorePath>& paths) {
  std::vector<Told> result;
  while (result.size() < paths.size()) {
    const size_t begin = result.size();
    const size_t count = std::min(most_queried, paths.size() - begin);
    json names = json::array();
    for (size_t i = 0; i < count; ++i) names.push_back(paths[begin + i].base_name());
    const std::string answer = ask(json{{"query", std::move(names)}}.dump());
    std::string_view rest = answer;
    const size_t line = std::min(rest.find('\n'), rest.size());
    const json found = parse_json(rest.substr(0, line), answer_name);
    rest.remove_prefix(std::min(line + 1, rest.size()));
    if (!found.is_array() || found.empty() || found.size() > count)
      fail(ErrorKind::internal, "{} is of no path, or of more than were asked for", answer_name);
    for (size_t i = 0; i < found.size(); ++i) {
      Told told{.path = paths[begin + i],
                .offers = {},
                .error = string_member(found[i], "error", answer_name),
                .index_file = {}};
      for (const json& one : member(found[i], "offers", answer_name))
        told.offers.push_back(
            {member(one, "cache", answer_name).get<size_t>(), string_member(one, "narinfo", answer_name)});
      told.index_file = rest.substr(0, member(found[i], "index", answer_name).get<size_t>());
      rest.remove_prefix(told.index_file.size());
      result.push_back(std::move(told));
    }
  }
  return result;
}

std::vector<RemotePaths::Candidate> RemotePaths::candidates(const Told& told) const {
  if (told.offers.empty() && !told.error.empty()) throw Error(ErrorKind::unavailable, told.error);
  if (told.offers.empty())
    throw Error(ErrorKind::not_found, "no cache has it",
                "Run 'flox config --explain caches' to see which caches are asked.");
  std::vector<Candidate> result;
  std::optional<Error> first;  // that was wrong with one, which is told if no other is right
  for (const Offer& offer : told.offers) {
    try {
      Candidate candidate = verified(told.path, offer);
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

std::vector<RemotePath> RemotePaths::find(const std::vector<nix::StorePath>& paths) {
  std::vector<RemotePath> result;
  for (const Told& told : ask_for(paths))
    result.push_back(in_context(told.path.to_string(), [&] { return find(told); }));
  return result;
}

RemotePath RemotePaths::find(const Told& told) {
  std::optional<RemotePath> result;
  std::optional<Error> first;  // as above
  for (const Candidate& candidate : candidates(told)) {
    try {
      in_context(fmt::format("cache {}", caches_[candidate.offer.cache]), [&] {
        const Sha256Digest& hash = *candidate.narinfo.index_hash;
        // The same file in several caches is asked for once.
        std::string file = result && sha256(result->index_file) == hash ? result->index_file
                           : sha256(told.index_file) == hash            ? told.index_file
                                                                        : index_file_of(candidate);
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
          url = candidate.narinfo.url, index](uint32_t first, uint32_t last) {
    const store::NarIndex::Frame &from = index->frames.at(first), &to = index->frames.at(last);
    return ask(json{{"path", path.base_name()},
                    {"cache", cache},
                    {"url", url},
                    {"first", from.file_offset},
                    {"size", to.file_offset + to.file_size - from.file_offset},
                    {"nar_size", to.nar_offset + to.nar_size - from.nar_offset}}
                   .dump());
  };
}

}  // namespace flox::lazy
