#include "store/fetch/installer_link.h"

#include "base/error.h"
#include "store/fetch/fetch_messages.h"

namespace flox::store {
namespace {

[[noreturn]] void unequal() {
  fail(ErrorKind::internal, "the installer did not answer for all that it was asked");
}

}  // namespace

template <typename Answer>
Answer InstallerLink::call(const v1::Call& call) {
  const std::string text = channel_.call(call.SerializeAsString());
  Answer answer;
  if (!answer.ParseFromString(text)) fail(ErrorKind::internal, "the installer's answer cannot be read");
  return answer;
}

void InstallerLink::note(const v1::Note& note) { channel_.note(note.SerializeAsString()); }

std::vector<InstallerLink::OfferResult> InstallerLink::offer(const std::vector<Offer>& offers) {
  v1::Call message;
  for (const Offer& given : offers) {
    v1::Call::Offer& offer = *message.mutable_offers()->add_offers();
    offer.set_cache(static_cast<uint32_t>(given.cache));
    *offer.mutable_narinfo() = to_message(*given.narinfo);
    offer.set_remembered(given.remembered);
  }
  auto answer = call<v1::OffersAnswer>(message);
  std::vector<OfferResult> results;
  for (v1::OfferAnswer& one : *answer.mutable_answers())
    results.push_back(
        {.wanted = {std::make_move_iterator(one.mutable_wanted()->begin()),
                    std::make_move_iterator(one.mutable_wanted()->end())},
         .refused = one.has_refused() ? std::optional(from_message(one.refused())) : std::nullopt,
         .has_base = one.has_base()});
  if (results.size() != offers.size()) unequal();
  return results;
}

std::vector<v1::ClaimAnswer::State> InstallerLink::claim(const std::vector<nix::StorePath>& paths) {
  v1::Call message;
  message.mutable_claim();  // of no paths, too
  for (const nix::StorePath& path : paths) message.mutable_claim()->add_paths(path.base_name());
  const auto answer = call<v1::ClaimAnswer>(message);
  std::vector<v1::ClaimAnswer::State> states;
  for (int i = 0; i < answer.states_size(); ++i) states.push_back(answer.states(i));
  if (states.size() != paths.size()) unequal();
  return states;
}

std::vector<std::optional<Error>> InstallerLink::unpacked(const std::vector<Tree>& trees,
                                                          uint64_t bytes_fetched, uint64_t decoder_memory) {
  v1::Call message;
  v1::Call::UnpackedTrees& unpacked = *message.mutable_unpacked();
  for (const Tree& tree : trees) {
    v1::Call::Unpacked& one = *unpacked.add_trees();
    one.set_path(tree.path.base_name());
    one.set_directory(tree.directory);
    one.set_number(tree.number);
  }
  unpacked.set_bytes_fetched(bytes_fetched);
  unpacked.set_decoder_memory(decoder_memory);
  const auto answer = call<v1::UnpackedAnswers>(message);
  std::vector<std::optional<Error>> refused;
  for (const v1::UnpackedAnswer& one : answer.answers())
    refused.push_back(one.has_refused() ? std::optional(from_message(one.refused())) : std::nullopt);
  if (refused.size() != trees.size()) unequal();
  return refused;
}

std::vector<bool> InstallerLink::begin(const Tree& tree, const std::string& index, size_t chunks) {
  v1::Call message;
  v1::Call::Begin& begin = *message.mutable_begin();
  begin.set_path(tree.path.base_name());
  begin.set_directory(tree.directory);
  begin.set_number(tree.number);
  begin.set_index(index);
  const std::string bits = call<v1::BeginAnswer>(message).missing();
  if (bits.size() != (chunks + 7) / 8) unequal();
  std::vector<bool> missing(chunks);
  for (size_t i = 0; i < chunks; ++i)
    missing[i] = (static_cast<unsigned char>(bits[i / 8]) >> i % 8 & 1) != 0;
  return missing;
}

void InstallerLink::wait_for_allowance(uint64_t bytes) {
  v1::Call message;
  message.mutable_allowance()->set_bytes(bytes);
  channel_.call(message.SerializeAsString());
}

void InstallerLink::tell_info(size_t cache, int priority) {
  v1::Note message;
  message.mutable_cache_info()->set_cache(static_cast<uint32_t>(cache));
  message.mutable_cache_info()->set_priority(priority);
  note(message);
}

void InstallerLink::tell_absent(size_t cache, const nix::StorePath& path, bool forget) {
  v1::Note message;
  message.mutable_absence()->set_cache(static_cast<uint32_t>(cache));
  message.mutable_absence()->set_path(path.base_name());
  message.mutable_absence()->set_forget(forget);
  note(message);
}

void InstallerLink::tell_peers(const PeerGroup& peers) {
  v1::Note all;
  all.mutable_peer_bytes()->set_bytes(peers.bytes());
  all.mutable_peer_bytes()->set_hedges(peers.hedges());
  all.mutable_peer_bytes()->set_cache_rate(peers.cache_rate());
  note(all);
  for (const PeerUse& peer : peers.use()) {
    v1::Note message;
    v1::Note::PeerUse& one = *message.mutable_peer_use();
    one.set_address(peer.address);
    one.set_paths(peer.paths);
    one.set_bytes(peer.bytes);
    one.set_failed(peer.failed);
    one.set_lied(peer.lied);
    note(message);
  }
}

void InstallerLink::tell_progress(uint64_t bytes_fetched) {
  v1::Note message;
  message.mutable_progress()->set_bytes_fetched(bytes_fetched);
  note(message);
}

}  // namespace flox::store
