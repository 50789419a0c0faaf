#include "ttrpc/frame_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace flox::ttrpc {

namespace asio = boost::asio;

namespace {

constexpr size_t read_ahead = 2048;  // containerd's requests have 50 to 1,000 bytes

void give_back_large(std::string& buffer) {
  if (buffer.empty() && buffer.capacity() > 2 * read_ahead) std::string().swap(buffer);
}

}  // namespace

asio::awaitable<bool> FrameReader::next(FrameHeader& head, std::string& content) {
  content.clear();
  const bool has_header = co_await header(head);
  if (!has_header) co_return false;
  if (head.length > max_payload) co_return co_await skip(head.length);
  const Grow any;
  bool refused = false;
  co_return co_await payload(head.length, any, content, refused);
}

asio::awaitable<bool> FrameReader::header(FrameHeader& header) {
  const bool there = co_await fill(header_size);
  if (!there) co_return false;
  header = decode_header(buffer_.data());
  buffer_.erase(0, header_size);
  co_return true;
}

asio::awaitable<bool> FrameReader::payload(size_t length, const Grow& grow, std::string& payload,
                                           bool& refused) {
  refused = false;
  payload.clear();
  size_t told = 0;
  for (;;) {
    const size_t arrived = std::min(buffer_.size(), length);
    if (grow && arrived > told && !grow(arrived - told)) {
      refused = true;
      co_return co_await skip(length);
    }
    told = arrived;
    if (arrived == length) break;
    const bool more = co_await read_more(length);
    if (!more) co_return false;
  }
  if (buffer_.size() == length) {
    payload.swap(buffer_);
    buffer_.clear();
  } else {
    payload.assign(buffer_, 0, length);
    buffer_.erase(0, length);
  }
  give_back_large(buffer_);
  co_return true;
}

asio::awaitable<bool> FrameReader::skip(size_t length) {
  while (length > 0) {
    const bool more = co_await fill(1);
    if (!more) co_return false;
    const size_t piece = std::min(length, buffer_.size());
    buffer_.erase(0, piece);
    length -= piece;
    give_back_large(buffer_);
  }
  co_return true;
}

asio::awaitable<bool> FrameReader::fill(size_t size) {
  while (buffer_.size() < size) {
    const bool more = co_await read_more(size);
    if (!more) co_return false;
  }
  co_return true;
}

asio::awaitable<bool> FrameReader::read_more(size_t size) {
  boost::system::error_code error;
  const size_t had = buffer_.size();
  // As much again as has arrived: a large frame takes few reads, an announced one no memory.
  buffer_.resize(had + std::max(std::min(size - had, had), read_ahead));
  const size_t got =
      co_await socket_.async_read_some(asio::buffer(buffer_.data() + had, buffer_.size() - had),
                                       asio::redirect_error(asio::use_awaitable, error));
  buffer_.resize(had + got);
  co_return !error;
}

}  // namespace flox::ttrpc
