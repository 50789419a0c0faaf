#include "base/data/random.h"

#include <openssl/rand.h>

#include "base/error.h"

namespace flox {

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    fail(ErrorKind::internal, "OpenSSL gives no random bytes");
  return bytes;
}

}  // namespace flox
