#include "store/peers/dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::string_literals;

// The head of an answer with one question, for "n.example", and so many records.
std::string head(char records, char code = 0) {
  return "\x12\x34\x81"s + static_cast<char>(0x80 | code) + "\0\1\0"s + records + "\0\0\0\0"s +
         "\1n\7example\0\0\1\0\1"s;
}
// A record of the question's name, of class IN, with a type and its data.
std::string record(char type, const std::string& data) {
  return "\xc0\x0c\0"s + type + "\0\1\0\0\0\x1e\0"s + static_cast<char>(data.size()) + data;
}
const std::string ipv4 = record(1, "\x0a\0\0\2"s);
const std::string ipv6 = record(28, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"s);

TEST(Dns, reads_all_addresses_of_an_answer) {
  EXPECT_THAT(read_dns_answer(head(4) + record(5, "\1m\xc0\x0e"s) + ipv4 + record(1, "\x0a\0\0\3"s) + ipv6),
              ElementsAre("10.0.0.2", "10.0.0.3", "fd00::2"))
      << "the name it stands for is passed over";
}

TEST(Dns, a_name_without_records_has_no_addresses) {
  EXPECT_THAT(read_dns_answer(head(0)), IsEmpty());
  EXPECT_THAT(read_dns_answer(head(0, 3)), IsEmpty()) << "it does not exist";
}

TEST(Dns, what_is_cut_off_or_goes_round_is_refused) {
  const std::string whole = head(1) + ipv4;
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(read_dns_answer(whole.substr(0, size)), Error) << size;
  EXPECT_THROW(read_dns_answer(head(1) + "\xc0\x1b"s + ipv4.substr(2)), Error) << "a name that is itself";
  EXPECT_THROW(read_dns_answer("\x12\x34\1\0"s + whole.substr(4)), Error) << "a question";
  try {
    read_dns_answer(head(0, 2));
    ADD_FAILURE() << "the server has failed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
}

// Answers questions for IPv4 addresses with ipv4, and all others with the error 2 (RFC 1035, 4.1.1).
class HalfDnsServer {
 public:
  HalfDnsServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~HalfDnsServer() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  HalfDnsServer(const HalfDnsServer&) = delete;
  HalfDnsServer& operator=(const HalfDnsServer&) = delete;
  AddressPort place() const { return {.address = "127.0.0.1", .port = port_}; }

 private:
  void run() const {
    for (;;) {
      std::string question(4096, '\0');
      sockaddr_in client{};
      socklen_t size = sizeof client;
      const ssize_t bytes = ::recvfrom(socket_.get(), question.data(), question.size(), 0,
                                       reinterpret_cast<sockaddr*>(&client), &size);
      if (bytes <= 0) return;
      const size_t end = question.find('\0', 12) + 5;  // of the name, its type and class
      const bool is_ipv4 = question[end - 3] == 1;
      const std::string answer = question.substr(0, 2) + "\x81"s + static_cast<char>(is_ipv4 ? 0x80 : 0x82) +
                                 "\0\1\0"s + static_cast<char>(is_ipv4 ? 1 : 0) + "\0\0\0\0"s +
                                 question.substr(12, end - 12) + (is_ipv4 ? ipv4 : "");
      ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&client), size);
    }
  }

  Fd socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
  std::thread thread_;
};

TEST(Dns, what_one_question_brings_is_good_although_the_other_one_fails) {
  const HalfDnsServer server;
  EXPECT_THAT(ask_dns(server.place(), "n.example"), ElementsAre("10.0.0.2"));
}

}  // namespace
}  // namespace flox::store
