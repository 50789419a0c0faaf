#include "ticket/model/torch_file.h"

#include <cstring>

#include "base/error.h"
#include "ticket/model/pickle.h"
#include "ticket/model/zip_directory.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;
using Kind = PickleValue::Kind;
using Storages = std::map<std::string, std::string_view, std::less<>>;

constexpr std::string_view legacy_magic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr int64_t legacy_protocol = 1001;

Tensor tensor_of(const PickleValue& value, const Storages& storages) {
  const PickleValue& storage = *value.storage;
  auto found = storages.find(storage.text);
  if (found == storages.end())
    flox::fail(ErrorKind::invalid_input, "its storage {} is not in the file", storage.text);
  Tensor tensor{.dtype = storage.dtype, .shape = value.shape, .bytes = {}};
  const size_t size = checked_bytes(tensor.dtype, tensor.shape);
  size_t begin = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(value.integer), size_of(tensor.dtype), &begin) ||
      begin > found->second.size() || size > found->second.size() - begin)
    flox::fail(ErrorKind::invalid_input, "its storage holds {} bytes, which do not reach for {} of {}",
               found->second.size(), tensor.shape_text(), to_string(tensor.dtype));
  tensor.bytes = found->second.substr(begin, size);
  return tensor;
}

// Names with a dot in front belong to training ("model", "optimizer"); state dicts are flat.
TensorMap tensors_of(const PickleValue& object, const Storages& storages) {
  if (!object.is(Kind::dict))
    flox::fail(ErrorKind::invalid_input, "it holds something other than a dictionary of tensors");
  TensorMap tensors;
  for (size_t i = 0; i + 1 < object.items.size(); i += 2) {
    const PickleValue &name = *object.items[i], &value = *object.items[i + 1];
    if (!name.is(Kind::text) || !value.is(Kind::tensor)) continue;
    tensors[name.text] = flox::in_context("tensor " + name.text, [&] { return tensor_of(value, storages); });
  }
  return tensors;
}

TensorMap read_archive(std::string_view file) {
  auto members = read_zip_directory(file);
  std::string folder;
  for (const auto& [name, bytes] : members)
    if (name.ends_with("/data.pkl")) folder = name.substr(0, name.size() - std::strlen("data.pkl"));
  if (folder.empty())
    flox::fail(ErrorKind::invalid_input, "a zip archive without data.pkl: not from torch.save");
  if (auto order = members.find(folder + "byteorder"); order != members.end() && order->second != "little")
    flox::fail(ErrorKind::invalid_input, "its byte order is not little-endian");
  Storages storages;
  const std::string data = folder + "data/";
  for (const auto& [name, bytes] : members)
    if (name.starts_with(data)) storages.emplace(name.substr(data.size()), bytes);
  std::string_view pickled = members.at(folder + "data.pkl");
  Pickle pickle = Pickle::read(pickled);
  return tensors_of(pickle.value(), storages);
}

// How large an element of each storage is, which only the tensors tell.
std::map<std::string, DType> storage_types(const PickleValue& object) {
  std::map<std::string, DType> types;
  for (const PickleValue* value : object.items)
    if (value->is(Kind::tensor)) types[value->storage->text] = value->storage->dtype;
  return types;
}

Storages legacy_storages(const PickleValue& keys, const std::map<std::string, DType>& types,
                         std::string_view rest) {
  if (!keys.is(Kind::list)) flox::fail(ErrorKind::invalid_input, "it has no list of storages");
  Storages storages;
  for (const PickleValue* key : keys.items) {
    auto type = types.find(key->text);
    if (type == types.end())
      flox::fail(ErrorKind::invalid_input, "storage {} belongs to no tensor, so that its size is unknown",
                 key->text);
    uint64_t count = 0;
    if (rest.size() < sizeof count)
      flox::fail(ErrorKind::invalid_input, "the file is cut short: storages are missing");
    std::memcpy(&count, rest.data(), sizeof count);
    rest.remove_prefix(sizeof count);
    if (count > rest.size() / size_of(type->second))
      flox::fail(ErrorKind::invalid_input, "the file is cut short: storage {} of {} elements is not whole",
                 key->text, count);
    const size_t size = count * size_of(type->second);
    storages[key->text] = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  return storages;
}

TensorMap read_legacy(std::string_view file) {
  std::string_view rest = file;
  Pickle magic = Pickle::read(rest);
  if (!magic.value().is(Kind::text) || magic.value().text != legacy_magic)
    flox::fail(ErrorKind::invalid_input, "not a file from torch.save");
  Pickle protocol = Pickle::read(rest);
  if (!protocol.value().is(Kind::integer) || protocol.value().integer != legacy_protocol)
    flox::fail(ErrorKind::invalid_input, "a version of torch.save's format other than {}", legacy_protocol);
  Pickle system = Pickle::read(rest);
  Pickle object = Pickle::read(rest);
  if (!object.value().is(Kind::dict))
    flox::fail(ErrorKind::invalid_input, "it holds something other than a dictionary of tensors");
  Pickle keys = Pickle::read(rest);
  return tensors_of(object.value(), legacy_storages(keys.value(), storage_types(object.value()), rest));
}

}  // namespace

TensorMap read_torch_file(std::string_view file) {
  if (is_zip(file)) return read_archive(file);
  if (file.starts_with('\x80')) return read_legacy(file);
  flox::fail(ErrorKind::invalid_input, "not a file from torch.save: neither a zip archive nor a pickle");
}

}  // namespace ticket::model
