// What commands and the keeper of an environment say to each other.
#include "activation/keeper/messages.h"
#include "fuzz.h"

namespace flox::fuzz::of_keeper_messages {

void one(std::string_view input) {
  activation::Request request;
  if (accepts([&] { request = activation::parse_request(input); }))
    require(activation::parse_request(activation::to_text(request)) == request,
            "a request reads as it was written");
  activation::Answer answer;
  if (accepts([&] { answer = activation::parse_answer(input); }))
    require(activation::parse_answer(activation::to_text(answer)) == answer,
            "an answer reads as it was written");
  std::string buffer(input);
  std::optional<std::string> text;
  if (!accepts([&] { text = activation::take_frame(buffer); })) return;
  if (text) require(activation::framed(*text) + buffer == input, "a frame has what was framed");
}

}  // namespace flox::fuzz::of_keeper_messages
