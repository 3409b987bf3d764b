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

  explicit CaptureReader(std::shared_ptr<const Capture> capture) : capture_(std::move(capture)) {}

  /// The blocks of what has come since; at first also the file's head. Blocks of one worker are in
  /// the order of time, and those of all within one call. `table`: names sockets and outputs.
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

  [[nodiscard]] Timed packet_block(const CapturedDatagram& datagram,
                                   std::span<const std::byte> header,
                                   std::span<const std::byte> payload, const RuleTable& table);
  std::uint32_t number_of(const Place& place);

  std::shared_ptr<const Capture> capture_;
  std::vector<Place> places_;  ///< by the number of their interface block
  std::string heads_;          ///< blocks of places that are new
  std::uint64_t datagrams_ = 0;
  std::uint64_t told_missed_ = 0;
  bool begun_ = false;
};

}  // namespace mcr
