// What peers ask and answer.
#include "store/peers/peer_question.h"

#include "fuzz.h"

namespace flox::fuzz::of_peer_question {

void one(std::string_view input) {
  std::vector<std::string> names;
  if (accepts([&] { names = store::read_peer_question(input); })) {
    require(names.size() <= store::most_asked_of_peer, "a question is bounded");
    require(store::write_peer_question(names) == input, "a question that was read is written as it was");
  }
  store::PeerAnswer answer;
  const size_t asked = input.size() > 35 ? input.size() - 35 : 0;
  if (!accepts([&] { answer = store::read_peer_answer(input, asked); })) return;
  require(answer.has.size() == asked, "a letter a name");
  const store::PeerAnswer again = store::read_peer_answer(store::write_peer_answer(answer), asked);
  require(again.has == answer.has && again.node == answer.node && again.progress == answer.progress,
          "nothing is lost or changed on the way");
}

}  // namespace flox::fuzz::of_peer_question
