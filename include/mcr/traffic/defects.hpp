// The defects that `mcr gen` puts into a stream when asked to: `--defect KIND[:PID][:every=N]`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcr {

/// One defect. All of them are functions of a datagram's place in the stream, so that whoever knows
/// the option knows how often it happens.
struct Defect {
  enum class Kind : std::uint8_t {
    loss,       ///< one of each N datagrams is not sent
    swap,       ///< two of each N datagrams change places
    dup,        ///< one of each N datagrams is sent twice
    restart,    ///< after each N datagrams the RTP numbers jump
    cc,         ///< the continuity counter of a PID skips one in each N packets
    tei,        ///< transport_error_indicator in one of each N packets of a PID
    sync,       ///< a wrong sync byte in one of each N datagrams, on a null packet
    sync_loss,  ///< two wrong sync bytes in a row in one of each N datagrams
    crc,        ///< a wrong CRC in one of each N PATs
    no_pat,     ///< no PAT
    no_pmt,     ///< no PMT
    pcr_gap,    ///< 160 ms from PCR to PCR
    pcr_step,   ///< after each N datagrams the PCR jumps by 10 s
    pts_gap,    ///< 2 s from PTS to PTS
    scrambled,  ///< packets of a PID are scrambled, and there is no CAT
  };

  Kind kind = Kind::loss;
  std::uint16_t pid = 0;
  std::uint64_t every = 0;

  /// Reads "cc:257:every=1000". Throws Failure(usage) that says what is wrong.
  static Defect parse(std::string_view text);
  /// "loss swap dup ...", for the help.
  static std::string names();
  /// It is one of a datagram's place, and needs no MPEG-TS.
  [[nodiscard]] bool of_datagrams() const noexcept { return kind <= Kind::restart; }
};

/// The defects of one stream.
class Defects {
 public:
  Defects() = default;
  explicit Defects(std::vector<Defect> all) : all_(std::move(all)) {}

  /// The datagram that is sent as the n-th.
  [[nodiscard]] std::uint64_t datagram(std::uint64_t n) const noexcept;
  /// How often a defect of this kind has come until place `n`, and of this PID.
  [[nodiscard]] std::uint64_t times(Defect::Kind kind, std::uint64_t n,
                                    std::uint16_t pid = 0) const noexcept;
  /// It comes at place `n`.
  [[nodiscard]] bool at(Defect::Kind kind, std::uint64_t n, std::uint16_t pid = 0) const noexcept;
  /// It is asked for at all.
  [[nodiscard]] bool has(Defect::Kind kind, std::uint16_t pid = 0) const noexcept {
    return find(kind, pid) != nullptr;
  }

 private:
  [[nodiscard]] const Defect* find(Defect::Kind kind, std::uint16_t pid) const noexcept;

  std::vector<Defect> all_;
};

}  // namespace mcr
