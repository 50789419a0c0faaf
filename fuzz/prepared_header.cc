// Prepared models, from a volume that others write to. The input is the header's text, so that the fuzzer
// need not find its SHA-256; the file is as long as the text says, or as a whole file.
#include "ticket/model/prepared_header.h"

#include <cstdint>

#include "base/data/sha256.h"
#include "fuzz.h"

namespace flox::fuzz::of_prepared_header {

namespace {

using ticket::model::PreparedHeader;

void look(std::string_view beginning, size_t file_bytes) {
  PreparedHeader header;
  if (!accepts([&] { header = ticket::model::read_prepared_header(beginning, file_bytes); })) return;
  size_t end = 0;
  for (const auto& section : header.sections) {
    require(section.offset >= end && section.offset % ticket::model::prepared_alignment == 0,
            "sections follow each other, aligned");
    end = section.offset + header.bytes_of(section);
    require(end <= file_bytes, "a section ends within the file");
  }
  const std::string again = ticket::model::write_prepared_header(header);
  require(ticket::model::read_prepared_header(again, header.bytes).sections.size() == header.sections.size(),
          "what was read is written so that it is read again");
}

}  // namespace

void one(std::string_view input) {
  look(input, input.size());
  // The number behind "bytes": is how large the file would be.
  size_t file_bytes = 0;
  if (const size_t at = input.rfind("\"bytes\":"); at != std::string_view::npos)
    for (size_t i = at + 8;
         i < input.size() && input[i] >= '0' && input[i] <= '9' && file_bytes < size_t{1} << 48; ++i)
      file_bytes = file_bytes * 10 + static_cast<size_t>(input[i] - '0');
  std::string file = "FLOXTWP\n";
  for (const size_t value : {size_t{ticket::model::prepared_version}, input.size()})
    for (size_t i = 0; i < 4; ++i) file += static_cast<char>(value >> (8 * i) & 0xff);
  file += bytes_of(sha256(input));
  file.resize(ticket::model::prepared_preamble);
  file += input;
  look(file, file_bytes);
}

}  // namespace flox::fuzz::of_prepared_header
