#include "server/api/text_upload.h"

#include "base/error.h"

namespace flox::server {

void TextUpload::write(std::string_view piece) {
  if (text_.size() + piece.size() > most_)
    throw StatusError(413, ErrorKind::invalid_input, fmt::format("{} is over {} bytes", what_, most_));
  text_ += piece;
}

std::string TextUpload::text_of(UploadSink& upload) {
  auto* text = dynamic_cast<TextUpload*>(&upload);
  if (text == nullptr) fail(ErrorKind::internal, "a text came to another resource's sink");
  return text->take();
}

}  // namespace flox::server
