#include "ttrpc/frame_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace flox::ttrpc {

namespace asio = boost::asio;

namespace {
constexpr size_t read_ahead = 2048;  // containerd's requests have 50 to 1,000 bytes
}

asio::awaitable<bool> FrameReader::next(FrameHeader& header, std::string& payload) {
  const bool has_header = co_await fill(header_size);
  if (!has_header) co_return false;
  header = decode_header(buffer_.data());
  buffer_.erase(0, header_size);
  payload.clear();
  if (header.length <= max_payload) {
    const bool whole = co_await fill(header.length);
    if (!whole) co_return false;
    payload.assign(buffer_, 0, header.length);
    buffer_.erase(0, header.length);
    if (buffer_.empty() && buffer_.capacity() > 2 * read_ahead) std::string().swap(buffer_);
    co_return true;
  }
  for (size_t left = header.length; left > 0;) {
    const bool more = co_await fill(1);
    if (!more) co_return false;
    const size_t piece = std::min(left, buffer_.size());
    buffer_.erase(0, piece);
    left -= piece;
  }
  co_return true;
}

asio::awaitable<bool> FrameReader::fill(size_t size) {
  boost::system::error_code error;
  while (buffer_.size() < size) {
    const size_t had = buffer_.size();
    buffer_.resize(had + std::max(size - had, read_ahead));
    const size_t got =
        co_await socket_.async_read_some(asio::buffer(buffer_.data() + had, buffer_.size() - had),
                                         asio::redirect_error(asio::use_awaitable, error));
    buffer_.resize(had + got);
    if (error) co_return false;
  }
  co_return true;
}

}  // namespace flox::ttrpc
