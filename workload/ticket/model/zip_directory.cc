#include "ticket/model/zip_directory.h"

#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;

constexpr uint32_t local_signature = 0x04034b50, entry_signature = 0x02014b50, end_signature = 0x06054b50;
constexpr uint32_t end64_signature = 0x06064b50, locator64_signature = 0x07064b50;
constexpr size_t end_size = 22, locator64_size = 20, entry_size = 46, local_size = 30, end64_size = 56;
constexpr size_t max_comment = 65535;

// Numbers of a record at `offset` of the file, all of which must be there.
class Record {
 public:
  Record(std::string_view file, uint64_t offset, size_t size) {
    if (offset > file.size() || size > file.size() - offset)
      flox::fail(ErrorKind::invalid_input, "a zip archive that is not whole");
    bytes_ = file.substr(offset, size);
  }
  uint16_t u16(size_t at) const { return number<uint16_t>(at); }
  uint32_t u32(size_t at) const { return number<uint32_t>(at); }
  uint64_t u64(size_t at) const { return number<uint64_t>(at); }
  std::string_view bytes() const { return bytes_; }

 private:
  template <typename T>
  T number(size_t at) const {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  std::string_view bytes_;
};

struct Directory {
  uint64_t offset, entries;
};

Directory find_directory(std::string_view file) {
  if (file.size() < end_size) flox::fail(ErrorKind::invalid_input, "a zip archive that is not whole");
  const size_t last = file.size() - end_size;
  const size_t first = last > max_comment ? last - max_comment : 0;
  for (size_t at = last + 1; at-- > first;) {
    Record end(file, at, end_size);
    if (end.u32(0) != end_signature) continue;
    if (at >= locator64_size) {
      Record locator(file, at - locator64_size, locator64_size);
      if (locator.u32(0) == locator64_signature) {
        Record end64(file, locator.u64(8), end64_size);
        if (end64.u32(0) != end64_signature)
          flox::fail(ErrorKind::invalid_input, "a zip archive without its 64-bit directory");
        return {end64.u64(48), end64.u64(32)};
      }
    }
    return {end.u32(16), end.u16(10)};
  }
  flox::fail(ErrorKind::invalid_input, "a zip archive without a directory: the file is cut short");
}

struct Extent {
  uint64_t size, compressed, offset;
};

// Fields that do not fit into 32 bits stand in the extra field with id 1, in this order, those only.
void widen(Extent& extent, std::string_view extra) {
  while (extra.size() >= 4) {
    Record head(extra, 0, 4);
    const size_t size = head.u16(2);
    if (size > extra.size() - 4) break;
    if (head.u16(0) == 1) {
      size_t at = 4;
      for (uint64_t* field : {&extent.size, &extent.compressed, &extent.offset}) {
        if (*field != 0xffffffff) continue;
        if (at + 8 > 4 + size) flox::fail(ErrorKind::invalid_input, "a zip member of unknown size");
        *field = Record(extra, at, 8).u64(0);
        at += 8;
      }
      return;
    }
    extra.remove_prefix(4 + size);
  }
}

std::string_view member_bytes(std::string_view file, const Extent& extent) {
  Record local(file, extent.offset, local_size);
  if (local.u32(0) != local_signature)
    flox::fail(ErrorKind::invalid_input, "it is not where the directory says");
  const uint64_t begin = extent.offset + local_size + local.u16(26) + local.u16(28);
  return Record(file, begin, extent.size).bytes();
}

}  // namespace

bool is_zip(std::string_view file) noexcept { return file.starts_with("PK\x03\x04"); }

std::map<std::string, std::string_view, std::less<>> read_zip_directory(std::string_view file) {
  std::map<std::string, std::string_view, std::less<>> members;
  const Directory directory = find_directory(file);
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    Record entry(file, at, entry_size);
    if (entry.u32(0) != entry_signature)
      flox::fail(ErrorKind::invalid_input, "a zip archive with a broken directory");
    const size_t name_size = entry.u16(28), extra_size = entry.u16(30);
    std::string_view tail = Record(file, at + entry_size, name_size + extra_size).bytes();
    std::string name(tail.substr(0, name_size));
    flox::in_context("zip member " + name, [&] {
      if (entry.u16(8) & 1) flox::fail(ErrorKind::invalid_input, "it is encrypted");
      Extent extent{.size = entry.u32(24), .compressed = entry.u32(20), .offset = entry.u32(42)};
      widen(extent, tail.substr(name_size));
      if (entry.u16(10) != 0 || extent.size != extent.compressed)
        flox::fail(ErrorKind::invalid_input, "it is compressed, which checkpoints are not");
      if (!members.emplace(name, member_bytes(file, extent)).second)
        flox::fail(ErrorKind::invalid_input, "it is there twice");
    });
    at += entry_size + name_size + extra_size + entry.u16(32);
  }
  return members;
}

}  // namespace ticket::model
