// What AWS's services answer: JSON from SQS and DynamoDB, XML from S3 and STS, and what their refusals mean.
#pragma once  // Not fuzzed: answers are read by parse_json and parse_xml (fuzz/json.cc, fuzz/xml.cc).

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/data/xml.h"
#include "base/error.h"
#include "base/net/http_client.h"

namespace ticket::aws {

// Bytes of the largest answer: ten messages of 256 KiB, whose quotes and line breaks are escaped, or an
// object with its limit (which asks for no more than it takes).
constexpr size_t most_answer_bytes = 64 << 20;

// An answer that is a JSON object. Throws flox::Error(unavailable) for anything else, and for one that
// exceeds what any answer needs.
nlohmann::json parse_answer(std::string_view text);
// An answer of a few texts that is XML, which the error does not quote. Throws as parse_answer() does.
flox::XmlElement parse_xml_answer(std::string_view text);

// "com.amazonaws.sqs#QueueDoesNotExist" of a JSON answer, "<Code>NoSuchKey</Code>" of an XML one -> the bare
// code; empty if there is none.
std::string error_code(const flox::HttpResponse& response);
// What it says to people, no longer than a log line should be; empty if there is nothing.
std::string error_text(const flox::HttpResponse& response);
// What a service's refusal means. `code` as in "ThrottlingException".
flox::ErrorKind meaning_of(int status, const std::string& code);

constexpr size_t longest_error = 500;  // bytes of a code or text

}  // namespace ticket::aws
