#include "node/nri/wait_budgets.h"

#include <algorithm>
#include <iterator>

namespace flox::node {

void WaitBudgets::refill(Budget& budget, Clock::time_point now) {
  const auto given = std::chrono::duration_cast<Time>((now - budget.at) / part);
  if (given <= Time::zero()) return;
  budget.left = std::min(full, budget.left + given);
  budget.at += given * part;  // what is less than a millisecond is given later
}

WaitBudgets::Time WaitBudgets::limit_of(const std::string& tenant, Time most, Clock::time_point now) {
  const auto found = budgets_.find(tenant);
  if (found == budgets_.end()) return std::min(most, full);
  refill(found->second, now);
  const Time left = found->second.left;
  if (left == full) budgets_.erase(found);
  if (left < Time::zero()) return Time::zero();
  return std::min({most, full, left + free_time});
}

void WaitBudgets::charge(const std::string& tenant, Time waited, bool is_late, Clock::time_point now) {
  const Time price = is_late ? waited : waited - free_time;
  if (price <= Time::zero()) return;
  // Those of tenants that nothing was heard of for long are full.
  for (auto each = budgets_.begin(); each != budgets_.end();) {
    refill(each->second, now);
    each = each->second.left == full ? budgets_.erase(each) : std::next(each);
  }
  budgets_.try_emplace(tenant, Budget{.left = full, .at = now}).first->second.left -= price;
}

}  // namespace flox::node
