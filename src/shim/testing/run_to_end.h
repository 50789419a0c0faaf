// Coroutines in tests.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <utility>

#include "shim/process/waiting.h"

namespace flox::shim {

// Runs a coroutine to its end on a loop of its own.
template <typename T>
T run_to_end(asio::io_context& context, asio::awaitable<T> story) {
  context.restart();
  auto result = asio::co_spawn(context, std::move(story), asio::use_future);
  while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready && context.run_one() > 0) {
  }
  return result.get();
}

}  // namespace flox::shim
