// How long containerd waits for us, which makes no other container meanwhile: each tenant has a budget of its
// own, so that containers whose packages take long delay those of other tenants by a bounded part of the
// time, however many there are.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace flox::node {

// For one thread at a time.
class WaitBudgets {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = std::chrono::milliseconds;

  // What is free of charge, and no longer than a container takes whose packages are there (some ms). A
  // container that is not ready in time pays it, too.
  static constexpr Time free_time{20};
  // A tenant's budget is full at this, and as long as containerd waits at most for one of its containers.
  static constexpr Time full{1000};
  // Of the time that passes a tenant is given this part: while it has containers that are never ready in
  // time, the others have the rest.
  static constexpr int part = 10;

  // How long a container of the tenant may be waited for, of at most `most`. 0: it is to come again.
  Time limit_of(const std::string& tenant, Time most, Clock::time_point now);
  // It was waited for; `is_late`: in vain.
  void charge(const std::string& tenant, Time waited, bool is_late, Clock::time_point now);

 private:
  struct Budget {
    Time left = full;  // below zero: in debt
    Clock::time_point at;
  };
  static void refill(Budget& budget, Clock::time_point now);
  std::map<std::string, Budget> budgets_;  // of tenants whose budget is not full
};

}  // namespace flox::node
