// One capture that runs: empties the workers' rings into the blocks of a capture file.
// Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mcr/dataplane/capture.hpp"
#include "mcr/packet/pcapng.hpp"
#include "mcr/rules/table.hpp"

namespace mcr {

class CaptureReader {
 public:
  /// Bytes that are kept at once; the oldest datagrams go first.
  static constexpr std::size_t most_bytes = std::size_t{1} << 20U;

  /// `past`: what the capture's since_ns looks back at; null: nothing.
  explicit CaptureReader(std::shared_ptr<const Capture> capture,
                         std::shared_ptr<const Past> past = nullptr)
      : capture_(std::move(capture)), past_(std::move(past)) {}

  /// The past is to be opened, once every worker has seen the capture, and before the first take().
  [[nodiscard]] bool awaits_past() const noexcept { return past_ != nullptr && before_.empty(); }
  void open_past();

  /// The blocks of what has come since; at first also the file's head. Blocks of one worker are in
  /// the order of time, and those of all within one call; the past goes first, all of it in that
  /// order. `table`: names sockets and outputs.
  [[nodiscard]] std::string take(const RuleTable& table);

  [[nodiscard]] const std::shared_ptr<const Capture>& capture() const noexcept { return capture_; }
  [[nodiscard]] std::uint64_t datagrams() const noexcept { return datagrams_; }

 private:
  struct Place {
    std::string interface;
    pcapng::LinkType type = pcapng::LinkType::raw;

    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Timed {
    std::uint64_t time_ns = 0;
    std::string block;
  };
  /// A worker's ring, to be read from `place` on.
  struct Kept {
    const PastRing* ring = nullptr;
    std::uint64_t place = 0;

    [[nodiscard]] bool empty() const noexcept { return place == ring->end(); }
    [[nodiscard]] const std::byte* front() const noexcept { return ring->record(place); }
  };

  [[nodiscard]] Timed packet_block(const CapturedDatagram& datagram,
                                   std::span<const std::byte> header,
                                   std::span<const std::byte> payload, const RuleTable& table);
  [[nodiscard]] std::vector<Timed> take_past(const RuleTable& table);
  [[nodiscard]] std::vector<Timed> take_present(const RuleTable& table);
  std::uint32_t number_of(const Place& place);

  std::shared_ptr<const Capture> capture_;
  std::shared_ptr<const Past> past_;  ///< until all of it is in the file
  std::vector<Kept> before_;          ///< once it is open: of each worker that has more of it
  std::vector<Place> places_;         ///< by the number of their interface block
  std::string heads_;                 ///< blocks of places that are new
  std::uint64_t datagrams_ = 0;
  std::uint64_t told_missed_ = 0;
  bool begun_ = false;
};

}  // namespace mcr
