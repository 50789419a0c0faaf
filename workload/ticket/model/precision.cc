#include "ticket/model/precision.h"

#include "base/error.h"

namespace ticket::model {

Precision parse_precision(std::string_view text) {
  for (Precision precision : {Precision::fp32, Precision::fp16_weights, Precision::int8_weights})
    if (text == to_string(precision)) return precision;
  flox::fail(flox::ErrorKind::invalid_input, "precision \"{}\" is neither fp32, fp16 nor int8", text);
}

const char* to_string(Precision precision) noexcept {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::fp16_weights:
      return "fp16";
    case Precision::int8_weights:
      return "int8";
  }
  return "?";
}

Precision encoder_precision(Precision summaries) noexcept {
  return summaries == Precision::int8_weights ? Precision::int8_weights : Precision::fp32;
}

}  // namespace ticket::model
