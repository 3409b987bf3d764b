// The past of a rule with `capture_before`: what came for it last, on each worker, for a capture
// that begins later. The workers write it. Control reads it while they do not: Capture says how.
// It lives for as long as a table or control holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mcr/base/mapping.hpp"
#include "mcr/packet/captured_datagram.hpp"

namespace mcr {

struct Rule;

/// A ring in which the newest datagram makes room for itself. One thread at a time.
class PastRing {
 public:
  /// `bytes`: at least 4096, a multiple of 8. Throws OsError. Memory that no datagram touches is
  /// never resident.
  explicit PastRing(std::size_t bytes) : memory_(bytes), capacity_(bytes) {}

  /// One that is larger than the ring is not kept.
  void put(const CapturedDatagram& datagram, std::span<const std::byte> header,
           std::span<const std::byte> payload) noexcept;

  /// The place of the oldest datagram that is no older than `since_ns` (CLOCK_REALTIME); else
  /// end().
  [[nodiscard]] std::uint64_t since(std::uint64_t since_ns) const noexcept;
  /// The place of the datagram after that one, or end().
  [[nodiscard]] std::uint64_t next(std::uint64_t place) const noexcept;
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
  /// Its record (capture_record): here for as long as nothing is put.
  [[nodiscard]] const std::byte* record(std::uint64_t place) const noexcept { return at(place); }

 private:
  [[nodiscard]] std::byte* at(std::uint64_t place) const noexcept {
    return &memory_[place % capacity_];
  }
  /// Bytes from there to the end of the memory.
  [[nodiscard]] std::uint64_t rest(std::uint64_t place) const noexcept {
    return capacity_ - place % capacity_;
  }

  Mapping<std::byte> memory_;
  std::uint64_t capacity_;
  // Places are counted in bytes from the first record ever.
  std::uint64_t first_ = 0;  ///< of the oldest record
  std::uint64_t end_ = 0;    ///< behind the newest
};

class Past {
 public:
  /// `bytes`: of each worker's ring. Throws OsError.
  Past(std::uint64_t bytes, std::size_t workers);

  /// That worker's, or control's while that worker writes nothing.
  [[nodiscard]] PastRing& ring(std::size_t worker) const noexcept { return rings_[worker]; }
  [[nodiscard]] std::size_t workers() const noexcept { return rings_.size(); }

 private:
  mutable std::vector<PastRing> rings_;
};

/// The pasts that are in use, so that a rule which stays keeps its own. Control thread only.
class Pasts {
 public:
  /// The rule's: the same one as before, if `capture_before` is; else a new one. Null if the rule
  /// keeps none. Throws OsError.
  std::shared_ptr<const Past> get(const Rule& rule);

  /// The one that get() gave, while something holds it; else null.
  [[nodiscard]] std::shared_ptr<const Past> find(const std::string& rule) const;

  /// Before the first get().
  void set_workers(std::size_t workers) noexcept { workers_ = workers; }

 private:
  struct Known {
    std::uint64_t bytes = 0;
    std::weak_ptr<const Past> past;
  };

  std::map<std::string, Known> known_;
  std::size_t workers_ = 1;
};

}  // namespace mcr
