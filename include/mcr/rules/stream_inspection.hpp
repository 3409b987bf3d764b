// Inspection of one input, as a table names it: an inspector for each worker.
// Made by control at a reload, written by the workers, read by control. It lives for as long as a
// table or control holds it.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "mcr/base/address.hpp"
#include "mcr/base/mapping.hpp"
#include "mcr/config/inspection.hpp"
#include "mcr/stream/format.hpp"
#include "mcr/stream/inspector.hpp"

namespace mcr {

struct Input;
struct Rule;

/// Leads a table to the inspectors of one input, without a place in between.
struct StreamInspectors {
  stream::Inspector* each = nullptr;  ///< by worker; of a StreamInspection
  stream::Format format{};

  /// The worker's own thread only, as fetch().
  void inspect(std::size_t worker, const stream::Arrival& arrival) const noexcept {
    each[worker].inspect(format, arrival);
  }
  /// Ahead of inspect(), which then does not wait for memory: see Inspector::fetch().
  void fetch(std::size_t worker) const noexcept { each[worker].fetch(); }
};

class StreamInspection {
 public:
  /// `number`: of the inspection among all. What datagrams touch of one is a few cache lines; those
  /// of a thousand would share the few places that a cache has for equal addresses within a page.
  /// So neighbours begin on lines of their own. Throws OsError. Memory that no datagram touches is
  /// never resident.
  StreamInspection(const Inspection& wanted, std::size_t workers, std::size_t number = 0);

  /// Valid for as long as this is.
  [[nodiscard]] const StreamInspectors& inspectors() const noexcept { return inspectors_; }
  /// For control, which reads counters and tables.
  [[nodiscard]] stream::Inspector& inspector(std::size_t worker) const noexcept {
    return inspectors_.each[worker];
  }
  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  static constexpr std::size_t page_lines = 4096 / sizeof(Line);

  StreamInspectors inspectors_;  ///< in memory_
  std::size_t workers_;
  Mapping<Line> memory_;
};

/// The inspections that are in use, so that an input which stays keeps what was counted.
/// Control thread only.
class StreamInspections {
 public:
  /// The input's: the same one as before, if input and `inspect` are the same; else a new one.
  /// Null if the rule asks for none. Throws OsError.
  std::shared_ptr<const StreamInspection> get(const Rule& rule, const Input& input);

  /// The one that get() gave, while something holds it; else null.
  [[nodiscard]] std::shared_ptr<const StreamInspection> find(const Rule& rule,
                                                             const Input& input) const;

  /// Before the first get().
  void set_workers(std::size_t workers) noexcept { workers_ = workers; }

 private:
  struct Known {
    Inspection wanted;
    std::weak_ptr<const StreamInspection> inspection;
  };
  using Key = std::tuple<std::string, std::string, Endpoint, std::uint16_t, bool>;

  [[nodiscard]] static Key key_of(const Rule& rule, const Input& input);

  std::map<Key, Known> known_;
  std::size_t made_ = 0;
  std::size_t workers_ = 1;
};

}  // namespace mcr
