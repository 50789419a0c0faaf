// What a floxd asks another one, and the answer: which of these paths it has, or will have
// (docs/formats/peers.md).
#pragma once  // Fuzzed by fuzz/peer_question.cc.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nix/path_info.h"

namespace flox::store {

// Where the question is posted.
inline constexpr std::string_view peer_question_path = "/peer/has";
inline constexpr size_t most_asked_of_peer = 4096;  // paths of one question

// The name by which peers know a path: "DIGEST-NARHASH", of the store path and of its NAR in base-32. With
// ".nar" it is the NAR's file (docs/formats/binary-cache.md).
std::string peer_name(const nix::PathInfo& info);
// Whether the text has the form of such a name.
bool is_peer_name(std::string_view text) noexcept;

enum class PeerHas : char {
  nothing = '-',
  undecided = '?',  // it is still finding out what it needs
  planned = 'p',    // it will need it
  fetching = 'f',   // it is on its way to it
  // The same, in no hurry: for what is prefetched.
  planned_slowly = 'P',
  fetching_slowly = 'F',
  present = 'h',  // it can give it
};

// One name a line. Throws Error(invalid_input) for more than most_asked_of_peer, and for what is no name.
std::string write_peer_question(const std::vector<std::string>& names);
std::vector<std::string> read_peer_question(std::string_view text);

struct PeerAnswer {
  uint64_t node = 0;      // a number of the floxd that answers, from its start to its end
  uint64_t progress = 0;  // grows while it gets on with fetching
  std::vector<PeerHas> has;
};
inline constexpr size_t largest_peer_answer = most_asked_of_peer + 64;     // bytes
inline constexpr size_t largest_peer_question = most_asked_of_peer * 128;  // bytes

// "NODE PROGRESS", both of 16 hexadecimal digits, and in the second line a letter a name. Throws
// Error(invalid_input) unless it answers so many names.
std::string write_peer_answer(const PeerAnswer& answer);
PeerAnswer read_peer_answer(std::string_view text, size_t asked);

}  // namespace flox::store
