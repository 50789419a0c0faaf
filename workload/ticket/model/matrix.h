// Rows of floats, and the memory of weights.
#pragma once

#include <cstddef>
#include <utility>

namespace ticket::model {

// Memory for numbers, aligned to 64 bytes, zero at first, given back at the end. Large ones use huge pages.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);  // throws std::bad_alloc
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  template <typename T>
  T* as() noexcept {
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const noexcept {
    return static_cast<const T*>(data_);
  }
  size_t size() const noexcept { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

class Matrix {
 public:
  Matrix() = default;
  Matrix(size_t rows, size_t columns)
      : rows_(rows), columns_(columns), buffer_(rows * columns * sizeof(float)) {}

  size_t rows() const noexcept { return rows_; }
  size_t columns() const noexcept { return columns_; }
  float* row(size_t index) noexcept { return buffer_.as<float>() + index * columns_; }
  const float* row(size_t index) const noexcept { return buffer_.as<float>() + index * columns_; }
  float* data() noexcept { return buffer_.as<float>(); }
  const float* data() const noexcept { return buffer_.as<float>(); }

 private:
  size_t rows_ = 0, columns_ = 0;
  Buffer buffer_;
};

}  // namespace ticket::model
