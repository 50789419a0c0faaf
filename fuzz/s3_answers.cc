// What a server that is named as S3 answers: lists of objects, uploads, errors, times.
#include "server/files/s3_answers.h"

#include "fuzz.h"

namespace flox::fuzz::of_s3_answers {

void one(std::string_view input) {
  server::S3Listing listing;
  if (accepts([&] { listing = server::parse_s3_listing(input); }))
    require(listing.entries.size() <= input.size() / 10, "every object of a list stands in it");
  std::string upload;
  if (accepts([&] { upload = server::parse_s3_upload(input); }))
    require(!upload.empty() && upload.size() <= 2048, "an upload has an ID that a URL can hold");
  const std::string error = server::parse_s3_error(input);
  require(error.size() <= 1300 && error.find('\n') == std::string::npos, "an error is one short line");
  server::parse_s3_time(input);
}

}  // namespace flox::fuzz::of_s3_answers
