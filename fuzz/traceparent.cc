// Which trace a request says that it belongs to.
#include "base/trace/context.h"
#include "fuzz.h"

namespace flox::fuzz::of_traceparent {

void one(std::string_view input) {
  const auto context = trace::parse_traceparent(input);
  if (!context) return;
  const auto again = trace::parse_traceparent(context->to_string());
  require(again && again->trace == context->trace && again->span == context->span &&
              again->is_sampled == context->is_sampled,
          "what is taken is written and read again");
}

}  // namespace flox::fuzz::of_traceparent
