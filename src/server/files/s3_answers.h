// What S3 answers, in XML: lists of objects, uploads in parts, errors. Format: Amazon S3 API reference
// (ListObjectsV2, CreateMultipartUpload, CompleteMultipartUpload, "Error responses").
#pragma once  // Fuzzed by fuzz/s3_answers.cc.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flox::server {

struct S3Listing {
  struct Entry {
    std::string key;
    uint64_t size = 0;
    std::chrono::system_clock::time_point modified{};
  };
  std::vector<Entry> entries;
  std::string next;  // the continuation token; empty: this was the last page
};

// All throw Error(invalid_input) for another document.
S3Listing parse_s3_listing(std::string_view text);
// The upload's ID.
std::string parse_s3_upload(std::string_view text);
// "NoSuchKey: The specified key does not exist.", in one line of at most 300 characters; empty for what is no
// error document of S3: then it is none of its answers.
std::string parse_s3_error(std::string_view text) noexcept;
// "2026-11-29T07:40:00.000Z". Nothing for another form.
std::optional<std::chrono::system_clock::time_point> parse_s3_time(std::string_view text) noexcept;

}  // namespace flox::server
