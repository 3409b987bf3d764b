// Memory from mmap(2): zeroed, page-aligned, resident only where it was touched.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "mcr/base/error.hpp"

namespace mcr {

/// An array of `count` zeroed T, owned. T must be valid as all zeroes and need no destructor.
template <typename T>
class Mapping {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  /// Throws OsError.
  explicit Mapping(std::size_t count) : bytes_(count * sizeof(T)) {
    void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw_errno("map", std::to_string(bytes_) + " bytes of memory");
    data_ = static_cast<T*>(memory);
  }
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&&) = delete;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] T& operator[](std::size_t index) const noexcept { return data_[index]; }
  [[nodiscard]] T& operator*() const noexcept { return *data_; }
  [[nodiscard]] T* operator->() const noexcept { return data_; }

 private:
  T* data_ = nullptr;
  std::size_t bytes_;
};

}  // namespace mcr
