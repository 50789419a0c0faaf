#include "store/fetch/installer_link.h"

#include "base/error.h"
#include "store/fetch/fetch_messages.h"

namespace flox::store {

template <typename Answer>
Answer InstallerLink::call(const v1::Call& call) {
  const std::string text = channel_.call(call.SerializeAsString());
  Answer answer;
  if (!answer.ParseFromString(text)) fail(ErrorKind::internal, "the installer's answer cannot be read");
  return answer;
}

void InstallerLink::note(const v1::Note& note) { channel_.note(note.SerializeAsString()); }

std::vector<v1::Wanted> InstallerLink::offer(size_t cache, const nix::NarInfo& narinfo, bool remembered) {
  v1::Call message;
  v1::Call::Offer& offer = *message.mutable_offer();
  offer.set_cache(static_cast<uint32_t>(cache));
  *offer.mutable_narinfo() = to_message(narinfo);
  offer.set_remembered(remembered);
  auto answer = call<v1::OfferAnswer>(message);
  return {std::make_move_iterator(answer.mutable_wanted()->begin()),
          std::make_move_iterator(answer.mutable_wanted()->end())};
}

std::vector<v1::ClaimAnswer::State> InstallerLink::claim(const std::vector<nix::StorePath>& paths) {
  v1::Call message;
  for (const nix::StorePath& path : paths) message.mutable_claim()->add_paths(path.base_name());
  const auto answer = call<v1::ClaimAnswer>(message);
  std::vector<v1::ClaimAnswer::State> states;
  for (int i = 0; i < answer.states_size(); ++i) states.push_back(answer.states(i));
  if (states.size() != paths.size()) fail(ErrorKind::internal, "the installer did not answer for all paths");
  return states;
}

void InstallerLink::unpacked(const nix::StorePath& path, unsigned directory, uint64_t number,
                             uint64_t bytes_fetched, uint64_t decoder_memory) {
  v1::Call message;
  v1::Call::Unpacked& unpacked = *message.mutable_unpacked();
  unpacked.set_path(path.base_name());
  unpacked.set_directory(directory);
  unpacked.set_number(number);
  unpacked.set_bytes_fetched(bytes_fetched);
  unpacked.set_decoder_memory(decoder_memory);
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

void InstallerLink::tell_progress(uint64_t bytes_fetched) {
  v1::Note message;
  message.mutable_progress()->set_bytes_fetched(bytes_fetched);
  note(message);
}

}  // namespace flox::store
