// Beam search as transformers' `generate` does it (4.50 and later), for one text.
//
// The search knows nothing of the model: it says which beams to go on with, and is told the best next tokens
// of each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ticket/model/model_config.h"
#include "ticket/model/summarizer.h"

namespace ticket::model {

struct Candidate {
  int32_t token;
  float log_probability;
};

class BeamSearch {
 public:
  // Throws Error(invalid_input) for limits that make no sense.
  BeamSearch(const SearchConfig& config, const SummaryLimits& limits);

  struct Beam {
    std::vector<int32_t> tokens;  // with the start token
    float score = 0;              // sum of log probabilities
    size_t parent = 0;            // which of the former beams it goes on from
  };

  bool done() const noexcept { return done_; }
  // What to compute next tokens for; one beam at first, as long as all are alike.
  std::span<const Beam> beams() const noexcept { return beams_; }
  size_t length() const noexcept { return beams_.front().tokens.size(); }

  // If the next token is prescribed, takes it without asking the model, and says so.
  bool take_forced();
  // Tokens that may not follow beam `index`, with repetitions. The end token is one of them before
  // min_length.
  std::vector<int32_t> banned(size_t index) const;
  // How many of the best next tokens the search needs of each beam.
  size_t candidates_needed() const noexcept { return 2 * config_.beams; }
  // `candidates[i]` are the best next tokens of beam i, best first, without the banned ones.
  void advance(std::span<const std::vector<Candidate>> candidates);

  // After done(): the best sequence, from the start token to the end token.
  const std::vector<int32_t>& best() const;

 private:
  struct Finished {
    std::vector<int32_t> tokens;
    float score;
  };
  void keep_best(std::vector<Finished> endings);
  bool may_improve() const;
  bool is_full() const noexcept { return finished_.size() == config_.beams; }

  SearchConfig config_;
  SummaryLimits limits_;
  std::vector<Beam> beams_;
  std::vector<Finished> finished_;  // best first
  bool done_ = false;
};

}  // namespace ticket::model
