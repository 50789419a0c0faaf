#include "server/files/s3_answers.h"

#include <charconv>

#include "base/data/xml.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::server {
namespace {

// 1,000 entries of up to ten elements.
constexpr XmlLimits listing_limits{.bytes = 4 << 20, .depth = 8, .elements = 20'000};

const std::string& text_of(const XmlElement& element, const char* name) {
  for (const auto& child : element.children)
    if (child.name == name) return child.text;
  fail(ErrorKind::invalid_input, "an answer of S3: {} has no {}", printable(element.name, 40), name);
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

S3Listing parse_s3_listing(std::string_view text) {
  const XmlElement root = parse_xml(text, "a list of S3", listing_limits);
  if (root.name != "ListBucketResult")
    fail(ErrorKind::invalid_input, "an answer of S3: {} instead of ListBucketResult",
         printable(root.name, 40));
  S3Listing listing;
  bool truncated = false;
  for (const auto& child : root.children) {
    if (child.name == "IsTruncated") truncated = child.text == "true";
    if (child.name == "NextContinuationToken") listing.next = child.text;
    if (child.name != "Contents") continue;
    S3Listing::Entry entry{.key = text_of(child, "Key")};
    const auto modified = parse_s3_time(text_of(child, "LastModified"));
    if (!modified || !read_number(text_of(child, "Size"), entry.size))
      fail(ErrorKind::invalid_input, "an answer of S3: Size or LastModified of an object cannot be read");
    entry.modified = *modified;
    listing.entries.push_back(std::move(entry));
  }
  if (!truncated) listing.next.clear();
  if (truncated && listing.next.empty())
    fail(ErrorKind::invalid_input, "an answer of S3: it is cut, and says not how to go on");
  return listing;
}

std::string parse_s3_upload(std::string_view text) {
  const XmlElement root = parse_xml(text, "an upload of S3");
  const std::string& id = text_of(root, "UploadId");
  if (root.name != "InitiateMultipartUploadResult" || id.empty() || id.size() > 2048)
    fail(ErrorKind::invalid_input, "an answer of S3: it begins no upload");
  return id;
}

std::string parse_s3_error(std::string_view text) noexcept {
  try {
    const XmlElement root = parse_xml(text, "an error of S3");
    if (root.name != "Error") return {};
    const std::string& code = text_of(root, "Code");
    const XmlElement* message = root.find("Message");
    return printable(message == nullptr ? code : code + ": " + message->text, 300);
  } catch (const std::exception&) {
    return {};
  }
}

std::optional<std::chrono::system_clock::time_point> parse_s3_time(std::string_view text) noexcept {
  // YYYY-MM-DDTHH:MM:SS, and perhaps a fraction.
  int year = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0, day = 0;
  if (text.size() < 20 || text.size() > 32 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':' || text.back() != 'Z' ||
      (text.size() > 20 && (text[19] != '.' || text.find_first_not_of("0123456789", 20) != text.size() - 1)))
    return std::nullopt;
  if (!read_number(text.substr(0, 4), year) || !read_number(text.substr(5, 2), month) ||
      !read_number(text.substr(8, 2), day) || !read_number(text.substr(11, 2), hour) ||
      !read_number(text.substr(14, 2), minute) || !read_number(text.substr(17, 2), second))
    return std::nullopt;
  const auto date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  // The clock counts nanoseconds, from 1677 to 2262.
  if (year < 1970 || year > 2200 || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60)
    return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace flox::server
