#include "mcr/buffers.hpp"

#include "mcr/error.hpp"

namespace mcr {

Buffers::Buffers(Ring& ring)
    : ring_(reinterpret_cast<io_uring_buf_ring*>(entries_.data())), references_(count, 0) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_.data());
  registration.ring_entries = count;
  registration.bgid = group;
  const int error = -io_uring_register_buf_ring(&ring.raw(), &registration, 0);
  if (error != 0) throw OsError(error, "register receive buffers");
  io_uring_buf_ring_init(ring_);
  for (std::uint32_t id = 0; id < count; ++id)
    io_uring_buf_ring_add(ring_, at(static_cast<std::uint16_t>(id)), size,
                          static_cast<std::uint16_t>(id), io_uring_buf_ring_mask(count),
                          static_cast<int>(id));
  io_uring_buf_ring_advance(ring_, static_cast<int>(count));
}

void Buffers::give_back(std::uint16_t id) noexcept {
  --held_;
  io_uring_buf_ring_add(ring_, at(id), size, id, io_uring_buf_ring_mask(count), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

}  // namespace mcr
