#include "ticket/model/pickle.h"

#include <bit>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "base/error.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;
using Kind = PickleValue::Kind;

// Of what checkpoints hold (DistilBART's: 9,000 values) a generous multiple. They bound what a hostile pickle
// costs.
constexpr size_t max_values = 1 << 18;
constexpr size_t max_steps = 16 * max_values;  // instructions; none puts more than one thing on the stack
constexpr size_t max_name = 256;
constexpr size_t max_rank = 8;

std::optional<DType> storage_dtype(std::string_view global) {
  if (global == "torch.FloatStorage") return DType::f32;
  if (global == "torch.HalfStorage") return DType::f16;
  if (global == "torch.BFloat16Storage") return DType::bf16;
  if (global == "torch.DoubleStorage") return DType::f64;
  if (global == "torch.LongStorage") return DType::i64;
  if (global == "torch.IntStorage") return DType::i32;
  if (global == "torch.ShortStorage") return DType::i16;
  if (global == "torch.CharStorage") return DType::i8;
  if (global == "torch.ByteStorage") return DType::u8;
  if (global == "torch.BoolStorage") return DType::boolean;
  return std::nullopt;
}

// Sizes and strides stand as tuples of integers.
std::vector<size_t> sizes_of(const PickleValue& tuple) {
  if (!tuple.is(Kind::tuple) || tuple.items.size() > max_rank)
    flox::fail(ErrorKind::invalid_input, "a tensor's shape is not a tuple of at most {} numbers", max_rank);
  std::vector<size_t> sizes;
  for (const PickleValue* item : tuple.items) {
    if (!item->is(Kind::integer) || item->integer < 0)
      flox::fail(ErrorKind::invalid_input, "a tensor's shape holds something other than natural numbers");
    sizes.push_back(static_cast<size_t>(item->integer));
  }
  return sizes;
}

bool is_row_major(const std::vector<size_t>& shape, const std::vector<size_t>& strides) {
  if (shape.size() != strides.size()) return false;
  size_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    if (__builtin_mul_overflow(expected, shape[i], &expected)) return false;
  }
  return true;
}

}  // namespace

class PickleMachine {
 public:
  explicit PickleMachine(std::string_view bytes) : bytes_(bytes) {}

  Pickle run() {
    for (size_t steps = 0; !step(); ++steps)
      if (steps == max_steps)
        flox::fail(ErrorKind::invalid_input, "more than {} instructions, which no checkpoint has: refused",
                   max_steps);
    return std::move(pickle_);
  }

  std::string_view rest() const { return bytes_.substr(position_); }
  size_t position() const noexcept { return position_; }

 private:
  // --- reading

  std::string_view take(size_t size) {
    if (size > bytes_.size() - position_)
      flox::fail(ErrorKind::invalid_input, "the file ends within a pickle");
    std::string_view taken = bytes_.substr(position_, size);
    position_ += size;
    return taken;
  }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view line() {
    size_t end = bytes_.find('\n', position_);
    if (end == std::string_view::npos) flox::fail(ErrorKind::invalid_input, "the file ends within a pickle");
    std::string_view text = take(end - position_);
    position_ += 1;
    return text;
  }

  // --- the stack

  PickleValue& make(Kind kind) {
    if (pickle_.values_.size() == max_values)
      flox::fail(ErrorKind::invalid_input, "more than {} values, which no checkpoint has: refused",
                 max_values);
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    return value;
  }
  void push(PickleValue& value) { stack_.push_back(&value); }
  void push_integer(int64_t integer) {
    PickleValue& value = make(Kind::integer);
    value.integer = integer;
    push(value);
  }
  void push_text(std::string_view text) {
    PickleValue& value = make(Kind::text);
    value.text = text;
    push(value);
  }
  void push_global(std::string_view module, std::string_view name) {
    if (module.size() + name.size() > max_name)
      flox::fail(ErrorKind::invalid_input, "the name of a function is too long");
    PickleValue& value = make(Kind::global);
    value.text = fmt::format("{}.{}", module, name);
    push(value);
  }

  PickleValue& top() {
    if (stack_.size() <= floor()) flox::fail(ErrorKind::invalid_input, "a pickle takes more than it put");
    return *stack_.back();
  }
  PickleValue& pop() {
    PickleValue& value = top();
    stack_.pop_back();
    return value;
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  // What was put since the last mark.
  std::vector<const PickleValue*> pop_marked() {
    if (marks_.empty()) flox::fail(ErrorKind::invalid_input, "a pickle has no mark where one is needed");
    auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  void push_tuple(std::vector<const PickleValue*> items) {
    PickleValue& value = make(Kind::tuple);
    value.items = std::move(items);
    push(value);
  }
  void push_tuple_of(size_t count) {
    std::vector<const PickleValue*> items(count);
    for (size_t i = count; i-- > 0;) items[i] = &pop();
    push_tuple(std::move(items));
  }

  void memoise(uint64_t key) { memo_[key] = &top(); }
  void recall(uint64_t key) {
    auto found = memo_.find(key);
    if (found == memo_.end())
      flox::fail(ErrorKind::invalid_input, "a pickle names value {}, which it has not", key);
    stack_.push_back(found->second);
  }

  // --- what has a meaning for checkpoints

  void append(std::vector<const PickleValue*> items) {
    PickleValue& list = top();
    if (!list.is(Kind::list))
      flox::fail(ErrorKind::invalid_input, "a pickle appends to something not a list");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }
  void set_items(std::vector<const PickleValue*> items) {
    PickleValue& dict = top();
    if (!dict.is(Kind::dict) || items.size() % 2 != 0)
      flox::fail(ErrorKind::invalid_input, "a pickle sets members of something not a dictionary");
    dict.items.insert(dict.items.end(), items.begin(), items.end());
  }

  // ("storage", torch.FloatStorage, key, location, element count[, view]): the bytes stand elsewhere in the
  // file.
  void push_storage() {
    const PickleValue& id = pop();
    const bool understood =
        id.is(Kind::tuple) && (id.items.size() == 5 || id.items.size() == 6) && id.items[0]->is(Kind::text) &&
        id.items[0]->text == "storage" && id.items[1]->is(Kind::global) && id.items[2]->is(Kind::text) &&
        id.items[2]->text.size() <= max_name && id.items[4]->is(Kind::integer) && id.items[4]->integer >= 0 &&
        (id.items.size() == 5 || id.items[5]->is(Kind::none));
    if (!understood)
      flox::fail(ErrorKind::invalid_input, "a persistent id is not that of a tensor's storage");
    std::optional<DType> dtype = storage_dtype(id.items[1]->text);
    if (!dtype) flox::fail(ErrorKind::invalid_input, "storage of type {} is not known", id.items[1]->text);
    PickleValue& value = make(Kind::storage);
    value.dtype = *dtype;
    value.text = id.items[2]->text;
    value.count = static_cast<size_t>(id.items[4]->integer);
    push(value);
  }

  // (storage, first element, shape, strides, …)
  PickleValue& rebuild_tensor(const PickleValue& arguments) {
    const auto& items = arguments.items;
    if (items.size() < 4 || !items[0]->is(Kind::storage) || !items[1]->is(Kind::integer) ||
        items[1]->integer < 0)
      flox::fail(ErrorKind::invalid_input, "a tensor is made of something other than a storage");
    PickleValue& tensor = make(Kind::tensor);
    tensor.storage = items[0];
    tensor.integer = items[1]->integer;
    tensor.shape = sizes_of(*items[2]);
    if (!is_row_major(tensor.shape, sizes_of(*items[3])))
      flox::fail(ErrorKind::invalid_input, "a tensor is not stored row by row, which is not supported");
    return tensor;
  }

  void call() {
    const PickleValue& arguments = pop();
    const PickleValue& function = pop();
    if (!function.is(Kind::global) || !arguments.is(Kind::tuple))
      flox::fail(ErrorKind::invalid_input, "a pickle calls something that is not a function");
    if (function.text == "collections.OrderedDict") {
      // OrderedDict() or, by old writers, OrderedDict([[key, value], …]), which checkpoints leave empty.
      const bool empty =
          arguments.items.empty() || (arguments.items.size() == 1 && arguments.items[0]->items.empty());
      if (!empty) flox::fail(ErrorKind::invalid_input, "an OrderedDict is made in an unusual way");
      push(make(Kind::dict));
    } else if (function.text == "torch._utils._rebuild_tensor_v2" ||
               function.text == "torch._utils._rebuild_tensor") {
      push(rebuild_tensor(arguments));
    } else if (function.text == "torch._utils._rebuild_parameter") {
      if (arguments.items.empty() || !arguments.items[0]->is(Kind::tensor))
        flox::fail(ErrorKind::invalid_input, "a parameter is made of something other than a tensor");
      push(const_cast<PickleValue&>(*arguments.items[0]));
    } else {
      flox::fail(ErrorKind::invalid_input, "it calls {}, which no checkpoint needs: refused", function.text);
    }
  }

  // Attributes of an OrderedDict (torch keeps versions in _metadata) have no meaning here.
  void set_state() {
    pop();
    if (!top().is(Kind::dict))
      flox::fail(ErrorKind::invalid_input, "a pickle sets attributes of something unknown");
  }

  void push_long(std::string_view digits) {  // little-endian two's complement
    if (digits.size() > 8) {
      // Only torch's magic number is as long; it is compared as text.
      push_text(digits);
      return;
    }
    uint64_t value = !digits.empty() && (digits.back() & 0x80) ? ~uint64_t{0} : 0;
    for (size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    push_integer(static_cast<int64_t>(value));
  }

  bool step();

  std::string_view bytes_;
  size_t position_ = 0;
  Pickle pickle_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

// Executes one instruction; true at the end.
bool PickleMachine::step() {
  const auto opcode = number<unsigned char>();
  switch (opcode) {
    case 0x80: {  // PROTO
      const auto version = number<unsigned char>();
      if (version < 2 || version > 5)
        flox::fail(ErrorKind::invalid_input, "a pickle of protocol {}, where 2 to 5 are known", version);
      return false;
    }
    case 0x95:
      take(8);
      return false;  // FRAME
    case '.':        // STOP
      pickle_.value_ = &pop();
      return true;
    case '(':
      marks_.push_back(stack_.size());
      return false;
    case '0':
      pop();
      return false;

    case 'N':
      push(make(Kind::none));
      return false;
    case 0x88:
    case 0x89: {  // NEWTRUE, NEWFALSE
      PickleValue& value = make(Kind::boolean);
      value.integer = opcode == 0x88;
      push(value);
      return false;
    }
    case 'K':
      push_integer(number<uint8_t>());
      return false;
    case 'M':
      push_integer(number<uint16_t>());
      return false;
    case 'J':
      push_integer(number<int32_t>());
      return false;
    case 0x8a:
      push_long(take(number<uint8_t>()));
      return false;
    case 'G': {
      PickleValue& value = make(Kind::real);
      value.real = std::bit_cast<double>(__builtin_bswap64(number<uint64_t>()));
      push(value);
      return false;
    }

    case 'X':  // BINUNICODE, BINSTRING
    case 'T':
      push_text(take(number<uint32_t>()));
      return false;
    case 0x8c:  // SHORT_BINUNICODE, SHORT_BINSTRING
    case 'U':
      push_text(take(number<uint8_t>()));
      return false;
    case 0x8d:
      push_text(take(number<uint64_t>()));
      return false;  // BINUNICODE8

    case ')':
      push_tuple({});
      return false;
    case 0x85:
      push_tuple_of(1);
      return false;
    case 0x86:
      push_tuple_of(2);
      return false;
    case 0x87:
      push_tuple_of(3);
      return false;
    case 't':
      push_tuple(pop_marked());
      return false;
    case ']':
      push(make(Kind::list));
      return false;
    case 'a': {
      const PickleValue& item = pop();
      append({&item});
      return false;
    }
    case 'e':
      append(pop_marked());
      return false;
    case '}':
      push(make(Kind::dict));
      return false;
    case 's': {
      const PickleValue& value = pop();
      const PickleValue& key = pop();
      set_items({&key, &value});
      return false;
    }
    case 'u':
      set_items(pop_marked());
      return false;

    case 'q':
      memoise(number<uint8_t>());
      return false;
    case 'r':
      memoise(number<uint32_t>());
      return false;
    case 0x94:
      memoise(memo_.size());
      return false;
    case 'h':
      recall(number<uint8_t>());
      return false;
    case 'j':
      recall(number<uint32_t>());
      return false;

    case 'c': {
      std::string_view module = line();
      push_global(module, line());
      return false;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleValue& name = pop();
      const PickleValue& module = pop();
      if (!name.is(Kind::text) || !module.is(Kind::text))
        flox::fail(ErrorKind::invalid_input, "a pickle names a function by something other than text");
      push_global(module.text, name.text);
      return false;
    }
    case 'Q':
      push_storage();
      return false;
    case 'R':
      call();
      return false;
    case 'b':
      set_state();
      return false;
    default:
      flox::fail(ErrorKind::invalid_input, "instruction {:#04x}, which no checkpoint needs: refused", opcode);
  }
}

Pickle Pickle::read(std::string_view& bytes) {
  PickleMachine machine(bytes);
  try {
    Pickle pickle = machine.run();
    bytes = machine.rest();
    return pickle;
  } catch (const flox::Error& error) {
    throw error.with_context(fmt::format("reading a pickle, at its byte {}", machine.position()));
  }
}

}  // namespace ticket::model
