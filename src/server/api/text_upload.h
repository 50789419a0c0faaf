// A small text that is put: an attestation, signed metadata.
#pragma once

#include <string>
#include <string_view>

#include "base/net/server/http_server.h"

namespace flox::server {

// Of at most so many bytes; `what` is what the refusal calls it, a literal.
class TextUpload : public UploadSink {
 public:
  TextUpload(std::string_view what, size_t most) : what_(what), most_(most) {}
  // Throws StatusError, 413, for more.
  void write(std::string_view piece) override;
  std::string take() { return std::move(text_); }

  // What came to such an upload. Throws Error(internal) for another route's.
  static std::string text_of(UploadSink& upload);

 private:
  std::string_view what_;
  size_t most_;
  std::string text_;
};

}  // namespace flox::server
