// Made-up tickets: the same seed makes the same tickets.
#pragma once

#include <cstdint>
#include <random>

#include "ticket/pipeline/raw_ticket.h"

namespace ticket {

class TicketMaker {
 public:
  explicit TicketMaker(uint32_t seed) : seed_(seed), random_(seed) {}
  // The next one, numbered from 1: "DEMO-<seed>-<n>". `created_at` in seconds since 1970.
  RawTicket next(int64_t created_at);

 private:
  size_t pick(size_t size);
  template <typename T>
  const T& one_of(const std::vector<T>& values) {
    return values[pick(values.size())];
  }

  uint32_t seed_;
  std::mt19937 random_;
  long made_ = 0;
};

}  // namespace ticket
