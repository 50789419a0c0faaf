// Sends HTTP requests at a steady rate and prints how long their answers took.
//
//   steady_load PORT RATE SECONDS CONNECTIONS < REQUESTS
//
// REQUESTS are the bytes of one request after the other, each with a line before it that says how many they
// are; they are sent in turn. A request's time begins when it is due, whether those before it are answered or
// not: a server that stalls is seen in everything that waits. Prints "COUNT MEDIAN NINETY_NINE SLOWEST", in
// milliseconds.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& why) {
  fmt::print(stderr, "steady_load: {}\n", why);
  std::_Exit(1);
}

std::vector<std::string> read_requests() {
  std::vector<std::string> requests;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string request(std::stoul(line), '\0');
    if (!std::cin.read(request.data(), static_cast<std::streamsize>(request.size())))
      die("a request is cut off");
    requests.push_back(std::move(request));
  }
  if (requests.empty()) die("there are no requests");
  return requests;
}

class Connection {
 public:
  explicit Connection(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      die("cannot connect");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(fd_); }

  // Sends the request and reads its answer, which must be a 200 with a length.
  void ask(std::string_view request) {
    for (std::string_view rest = request; !rest.empty();) {
      const ssize_t count = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) die("the server has closed the connection");
      rest.remove_prefix(static_cast<size_t>(count));
    }
    std::string answer;
    size_t size = std::string::npos;
    while (answer.size() < size) {
      const ssize_t count = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (count <= 0) die("the server has closed the connection");
      answer.append(buffer_.data(), static_cast<size_t>(count));
      const size_t end = answer.find("\r\n\r\n");
      if (size == std::string::npos && end != std::string::npos)
        size = end + 4 + length_of(answer.substr(0, end));
    }
  }

 private:
  static size_t length_of(const std::string& head) {
    constexpr std::string_view field = "\r\nContent-Length: ";
    if (!head.starts_with("HTTP/1.1 200 ")) die("answered: " + head.substr(0, head.find('\r')));
    const size_t at = head.find(field);
    if (at == std::string::npos) die("an answer has no Content-Length");
    size_t length = 0;
    std::from_chars(head.data() + at + field.size(), head.data() + head.size(), length);
    return length;
  }

  int fd_;
  std::string buffer_ = std::string(64 * 1024, '\0');
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) die("usage: steady_load PORT RATE SECONDS CONNECTIONS < REQUESTS");
  const auto port = static_cast<uint16_t>(std::stoi(argv[1]));
  const double rate = std::stod(argv[2]);
  const auto count = static_cast<size_t>(rate * std::stod(argv[3]));
  const std::vector<std::string> requests = read_requests();
  std::vector<double> took(count);
  std::atomic<size_t> next{0};
  const auto begin = Clock::now() + std::chrono::milliseconds(100);
  std::vector<std::thread> threads;
  for (int i = 0; i < std::stoi(argv[4]); ++i)
    threads.emplace_back([&] {
      Connection connection(port);
      for (size_t n = next++; n < count; n = next++) {
        const auto due = begin + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(static_cast<double>(n) / rate));
        std::this_thread::sleep_until(due);
        connection.ask(requests[n % requests.size()]);
        took[n] = std::chrono::duration<double, std::milli>(Clock::now() - due).count();
      }
    });
  for (auto& thread : threads) thread.join();
  std::ranges::sort(took);
  fmt::print("{} {:.2f} {:.2f} {:.2f}\n", count, took[count / 2], took[count * 99 / 100], took.back());
}
