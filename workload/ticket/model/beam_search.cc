#include "ticket/model/beam_search.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace ticket::model {

using flox::ErrorKind;

BeamSearch::BeamSearch(const SearchConfig& config, const SummaryLimits& limits)
    : config_(config), limits_(limits), beams_{{.tokens = {config.start}}} {
  if (limits.max_length < 3 || limits.min_length > limits.max_length)
    flox::fail(ErrorKind::invalid_input,
               "a summary of {} to {} tokens: the lower limit must not be above the upper, "
               "which must be 3 or more",
               limits.min_length, limits.max_length);
}

bool BeamSearch::take_forced() {
  const size_t length = this->length();
  std::optional<int32_t> token;
  if (length == 1) token = config_.forced_first;
  if (length == limits_.max_length - 1 && config_.forced_last) token = config_.forced_last;
  if (!token) return false;
  const std::vector<std::vector<Candidate>> candidates(beams_.size(), {{*token, 0.0f}});
  advance(candidates);
  return true;
}

std::vector<int32_t> BeamSearch::banned(size_t index) const {
  const std::vector<int32_t>& tokens = beams_[index].tokens;
  std::vector<int32_t> result;
  if (tokens.size() < limits_.min_length) result.push_back(config_.end);
  const size_t n = config_.no_repeat_ngram;
  if (n == 0 || tokens.size() + 1 < n) return result;
  // What followed an earlier occurrence of the last n − 1 tokens.
  const auto recent = tokens.end() - static_cast<std::ptrdiff_t>(n - 1);
  for (auto begin = tokens.begin(); tokens.end() - begin >= static_cast<std::ptrdiff_t>(n); ++begin)
    if (std::equal(recent, tokens.end(), begin)) result.push_back(begin[static_cast<std::ptrdiff_t>(n - 1)]);
  return result;
}

void BeamSearch::advance(std::span<const std::vector<Candidate>> candidates) {
  struct Step {
    size_t parent;
    int32_t token;
    float score;
  };
  std::vector<Step> steps;
  for (size_t i = 0; i < beams_.size(); ++i)
    for (const Candidate& candidate : candidates[i])
      steps.push_back({i, candidate.token, beams_[i].score + candidate.log_probability});
  // Of equal scores the earlier beam's comes first, and each beam's candidates keep their order.
  std::ranges::stable_sort(steps, [](const Step& a, const Step& b) { return a.score > b.score; });
  if (steps.size() > candidates_needed()) steps.resize(candidates_needed());
  if (steps.empty())
    flox::fail(ErrorKind::invalid_input, "no token can follow: the vocabulary is too small for {} beams",
               config_.beams);

  const size_t length = this->length() + 1;
  std::vector<Beam> next;
  // Only sequences among the best `beams` can finish: the others are kept to go on with in their stead.
  std::vector<Finished> endings;
  const bool was_full = is_full() && config_.early_stopping == SearchConfig::EarlyStopping::yes;
  for (size_t rank = 0; rank < steps.size(); ++rank) {
    const Step& step = steps[rank];
    const bool stops = step.token == config_.end || length == limits_.max_length;
    if (stops && rank >= config_.beams) continue;
    if (!stops && next.size() == config_.beams) continue;
    std::vector<int32_t> tokens = beams_[step.parent].tokens;
    tokens.push_back(step.token);
    if (stops) {
      const double generated = static_cast<double>(length - 1);
      endings.push_back(
          {std::move(tokens), step.score / static_cast<float>(std::pow(generated, config_.length_penalty))});
    } else {
      next.push_back({.tokens = std::move(tokens), .score = step.score, .parent = step.parent});
    }
  }
  if (!was_full) keep_best(std::move(endings));
  if (next.empty()) {
    done_ = true;
    return;
  }
  beams_ = std::move(next);
  done_ = !may_improve() || (is_full() && config_.early_stopping == SearchConfig::EarlyStopping::yes);
}

void BeamSearch::keep_best(std::vector<Finished> endings) {
  std::ranges::move(endings, std::back_inserter(finished_));
  std::ranges::stable_sort(finished_, [](const Finished& a, const Finished& b) { return a.score > b.score; });
  if (finished_.size() > config_.beams) finished_.resize(config_.beams);
}

// Whether the best beam, were it finished now, would be among the finished: a guess, since with a length
// penalty it may still rise or fall, but the guess that `generate` makes.
bool BeamSearch::may_improve() const {
  if (!is_full()) return true;
  const bool never =
      config_.early_stopping == SearchConfig::EarlyStopping::never && config_.length_penalty > 0;
  const double generated = static_cast<double>((never ? limits_.max_length : length()) - 1);
  return beams_.front().score / static_cast<float>(std::pow(generated, config_.length_penalty)) >
         finished_.back().score;
}

const std::vector<int32_t>& BeamSearch::best() const {
  if (finished_.empty())
    flox::fail(ErrorKind::internal, "a beam search was asked for its result before its end");
  return finished_.front().tokens;
}

}  // namespace ticket::model
