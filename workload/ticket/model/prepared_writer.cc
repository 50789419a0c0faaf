#include "ticket/model/prepared_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "base/os/fd.h"

namespace ticket::model {

namespace {

template <typename Number>
std::string_view raw(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

DType dtype_of(Precision precision) {
  return precision == Precision::fp32           ? DType::f32
         : precision == Precision::fp16_weights ? DType::f16
                                                : DType::i8;
}

void write_at(int fd, std::string_view bytes, size_t offset, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(fd, bytes.data(), std::min(bytes.size(), size_t{1} << 30), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) flox::fail_errno(errno, "writing {}", path.string());
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<size_t>(written);
  }
}

}  // namespace

void PreparedRecorder::add(PreparedSection section, std::string_view bytes) {
  // Two layers may look the same tensor up: the summarizer's two tables of words are one.
  for (const PreparedSection& known : sections_)
    if (known.name == section.name && known.kind == section.kind) return;
  sections_.push_back(std::move(section));
  contents_.push_back(bytes);
}

void PreparedRecorder::note(const std::string& name, const Tensor& tensor) {
  add({.name = name, .kind = SectionKind::tensor, .dtype = tensor.dtype, .shape = tensor.shape},
      tensor.bytes);
}

void PreparedRecorder::note(const std::string& name, const PackedWeights& weights) {
  add({.name = name,
       .kind = SectionKind::panels,
       .dtype = dtype_of(weights.precision),
       .shape = {weights.outputs, weights.inputs}},
      {static_cast<const char*>(weights.panels), weights.bytes()});
  if (weights.precision != Precision::int8_weights) return;
  add({.name = name, .kind = SectionKind::scales, .dtype = DType::f32, .shape = {weights.scales.size()}},
      raw(weights.scales));
  add({.name = name, .kind = SectionKind::sums, .dtype = DType::i32, .shape = {weights.sums.size()}},
      raw(weights.sums));
}

void PreparedRecorder::describe(PreparedHeader& header) const {
  header.sections = sections_;
  for (size_t i = 0; i < contents_.size(); ++i) header.sections[i].checksum = section_checksum(contents_[i]);
}

std::string write_prepared(const std::filesystem::path& path, PreparedHeader header,
                           const PreparedRecorder& recorder) {
  recorder.describe(header);
  const std::string beginning = write_prepared_header(header);
  flox::Fd fd = flox::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  // A full volume is found now, and not when half of it is written; a file system that cannot reserve is
  // filled.
  if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(header.bytes));
      error != 0 && error != EOPNOTSUPP && error != EINVAL)
    throw flox::Error(flox::ErrorKind::unavailable,
                      fmt::format("reserving {} bytes for {}: {}", header.bytes, path.string(),
                                  std::generic_category().message(error)),
                      "Make room on that volume, or name another directory with --to.");
  write_at(fd.get(), beginning, 0, path);
  for (size_t i = 0; i < header.sections.size(); ++i)
    write_at(fd.get(), recorder.contents()[i], header.sections[i].offset, path);
  if (::ftruncate(fd.get(), static_cast<off_t>(header.bytes)) != 0 || ::fsync(fd.get()) != 0)
    flox::fail_errno(errno, "bringing {} to the disk", path.string());
  return prepared_digest(beginning);
}

}  // namespace ticket::model
