// The datagrams of a run of `mcr gen`, and the two ways to send them: messages of a UDP socket, or
// whole frames of a packet socket. One thread.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mcr/traffic/defects.hpp"
#include "mcr/traffic/media_writer.hpp"
#include "mcr/traffic/streams.hpp"
#include "mcr/traffic/test_datagram.hpp"

namespace mcr {

struct GenOptions {
  Streams streams;
  std::optional<double> rate = 1000;  ///< datagrams a second; none: max
  std::size_t size = 1400;
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t first = 0;         ///< number of each stream's first datagram
  std::optional<double> duration;  ///< seconds
  int ttl = 16;
  std::optional<bool> gso;
  bool interleave = false;  ///< the stream changes with each datagram
  bool tx_ring = false;     ///< frames instead of messages
  std::optional<unsigned> cpu;
  bool json = false;
  bool rtp = false;
  bool ts = false;
  std::vector<Defect> defects;

  [[nodiscard]] bool media() const noexcept { return rtp || ts; }
};

/// Writes the datagrams of a run: test datagrams, or with --rtp and --ts media.
class PayloadWriter {
 public:
  explicit PayloadWriter(const GenOptions& options);

  /// Bytes of each datagram.
  [[nodiscard]] std::size_t size() const noexcept { return probes_.size(); }
  /// Once for each piece of memory, before the first write().
  void fill(std::span<std::uint8_t> to) const noexcept { probes_.fill(to); }
  void write(std::span<std::uint8_t> to, const Probe& probe) const noexcept {
    media_ ? media_->write(to, probe.stream, probe.sequence) : probes_.stamp(to, probe);
  }

 private:
  ProbeWriter probes_;
  std::optional<MediaWriter> media_;
};

struct GenTotals {
  std::uint64_t sent = 0;    ///< accepted by the kernel
  std::uint64_t errors = 0;  ///< refused by it
  double seconds = 0;

  [[nodiscard]] std::uint64_t attempts() const noexcept { return sent + errors; }
};

/// Sends datagrams round-robin over the streams. Each is attempted once: see socket_sender.cpp.
class Sender {
 public:
  Sender() = default;
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  virtual ~Sender() = default;

  /// Attempts up to `ready` datagrams, as many as suit one system call. Throws OsError for an error
  /// that will not pass.
  virtual void send(std::uint64_t ready) = 0;
  /// At the end of a run: waits for what is under way; what does not leave counts in `errors`.
  virtual void finish() {}
  [[nodiscard]] const GenTotals& totals() const noexcept { return totals_; }

 protected:
  GenTotals totals_;
};

/// Both throw OsError, and Failure(usage) for options that do not go together here.
[[nodiscard]] std::unique_ptr<Sender> make_socket_sender(const GenOptions& options);
[[nodiscard]] std::unique_ptr<Sender> make_frame_sender(const GenOptions& options);

}  // namespace mcr
