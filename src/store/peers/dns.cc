#include "store/peers/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"

namespace flox::store {
namespace {

constexpr size_t largest_message = 64 << 10;
constexpr unsigned char response_bit = 0x80;
constexpr unsigned char code_bits = 0x0f;
constexpr unsigned name_error = 3;

// Reads a message from the front; whatever is short is invalid.
class DnsReader {
 public:
  explicit DnsReader(std::string_view message) : message_(message) {}

  uint16_t number() {
    need(2);
    const auto high = static_cast<unsigned char>(message_[at_]);
    const auto low = static_cast<unsigned char>(message_[at_ + 1]);
    at_ += 2;
    return static_cast<uint16_t>(high << 8 | low);
  }
  std::string_view bytes(size_t count) {
    need(count);
    const std::string_view piece = message_.substr(at_, count);
    at_ += count;
    return piece;
  }
  void skip(size_t count) { bytes(count); }
  // dn_expand(3) follows compression pointers, within the message and without going round.
  std::string name() {
    const auto* const begin = reinterpret_cast<const unsigned char*>(message_.data());
    std::array<char, NS_MAXDNAME> text{};
    const int size = ::dn_expand(begin, begin + message_.size(), begin + at_, text.data(), text.size());
    if (size < 0) fail(ErrorKind::invalid_input, "the DNS answer has a name that cannot be read");
    at_ += static_cast<size_t>(size);
    return text.data();
  }
  size_t at() const noexcept { return at_; }

 private:
  void need(size_t count) const {
    if (message_.size() - at_ < count) fail(ErrorKind::invalid_input, "the DNS answer is cut off");
  }

  std::string_view message_;
  size_t at_ = 0;
};

std::string numeric(int family, std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

void read_record(DnsReader& reader, std::vector<std::string>& addresses) {
  reader.name();
  const uint16_t type = reader.number();
  const uint16_t class_of = reader.number();
  reader.skip(4);  // how long it holds: it is asked for anew each time
  const uint16_t size = reader.number();
  const std::string_view data = reader.bytes(size);
  if (class_of != ns_c_in) return;
  if (type == ns_t_a && size == sizeof(in_addr)) addresses.push_back(numeric(AF_INET, data));
  if (type == ns_t_aaaa && size == sizeof(in6_addr)) addresses.push_back(numeric(AF_INET6, data));
}

// How the servers of this process's resolver are set, for one question.
class Resolver {
 public:
  explicit Resolver(const AddressPort& server) {
    if (::res_ninit(&state_) != 0) fail(ErrorKind::internal, "the resolver cannot be set up");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    if (::inet_pton(AF_INET, server.address.c_str(), &address.sin_addr) != 1) {
      ::res_nclose(&state_);
      throw Error(ErrorKind::invalid_input,
                  fmt::format("'{}' is not the IPv4 address of a DNS server", printable(server.address)),
                  "Write ADDRESS:PORT, as in 10.96.0.10:53.");
    }
    state_.nscount = 1;
    state_.nsaddr_list[0] = address;
    state_.retrans = 1;  // seconds
    state_.retry = 2;
    state_.options |= RES_USE_EDNS0;
  }
  ~Resolver() { ::res_nclose(&state_); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  res_state state() noexcept { return &state_; }

 private:
  struct __res_state state_ {};
};

}  // namespace

std::vector<std::string> read_dns_answer(std::string_view message) {
  DnsReader reader(message);
  reader.skip(2);  // the question's number, which the resolver has compared
  const std::string_view flags = reader.bytes(2);
  if ((static_cast<unsigned char>(flags[0]) & response_bit) == 0)
    fail(ErrorKind::invalid_input, "it is no DNS answer");
  const unsigned code = static_cast<unsigned char>(flags[1]) & code_bits;
  if (code == name_error) return {};
  if (code != 0) fail(ErrorKind::unavailable, "the DNS server answers with error {}", code);
  const size_t questions = reader.number();
  size_t records = 0;
  for (int section = 0; section < 3; ++section) records += reader.number();
  for (size_t i = 0; i < questions; ++i) {
    reader.name();
    reader.skip(4);
  }
  std::vector<std::string> addresses;
  for (size_t i = 0; i < std::min(records, most_dns_records); ++i) read_record(reader, addresses);
  return addresses;
}

std::vector<std::string> ask_dns(const AddressPort& server, const std::string& name) {
  Resolver resolver(server);
  const auto ask = [&](int type) -> std::vector<std::string> {
    std::string message(largest_message, '\0');
    const int size =
        ::res_nquery(resolver.state(), name.c_str(), ns_c_in, type,
                     reinterpret_cast<unsigned char*>(message.data()), static_cast<int>(message.size()));
    if (size < 0) {
      // It does not exist, or has no such address: that is an answer.
      const int reason = resolver.state()->res_h_errno;
      if (reason == HOST_NOT_FOUND || reason == NO_DATA) return {};
      fail(ErrorKind::unavailable, "the DNS server {} does not answer for '{}'", server.to_string(),
           printable(name));
    }
    message.resize(std::min(message.size(), static_cast<size_t>(size)));
    return read_dns_answer(message);
  };
  std::vector<std::string> addresses;
  std::optional<Error> failure;
  for (const int type : {ns_t_a, ns_t_aaaa}) try {
      for (std::string& address : ask(type)) addresses.push_back(std::move(address));
    } catch (const Error& error) {
      failure = error;
    }
  // What one question has brought is good although the other one failed.
  if (failure && addresses.empty()) throw Error(*failure);
  if (failure) log::debug("{}", failure->what());
  return addresses;
}

}  // namespace flox::store
