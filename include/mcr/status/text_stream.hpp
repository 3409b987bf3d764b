// The streams of a rule for people: what `mcr inspect RULE` prints. Pure text, UTF-8, no terminal
// sequences, at most 80 columns; ends with a newline.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "mcr/status/status.hpp"

namespace mcr::status {

/// How a stream did over time, a value a look.
class StreamHistory {
 public:
  static constexpr std::size_t looks = 52;  ///< as many bars fit a line of 80 columns

  void add(const Stream& stream);

  [[nodiscard]] const std::deque<double>& lost() const noexcept { return lost_; }
  [[nodiscard]] const std::deque<double>& jitter() const noexcept { return jitter_; }
  [[nodiscard]] const std::deque<double>& delay_factor() const noexcept { return delay_factor_; }

 private:
  std::uint64_t lost_then_ = 0;
  bool started_ = false;
  std::deque<double> lost_;
  std::deque<double> jitter_;        ///< us
  std::deque<double> delay_factor_;  ///< us
};

/// The streams of a rule's inputs. `histories`: by input, or empty.
[[nodiscard]] std::string render_streams(const Rule& rule,
                                         const std::vector<StreamHistory>& histories);

/// One line of a stream, for `mcr status RULE`: "rtp+ts from 1 source: lost 0, ...".
[[nodiscard]] std::string stream_line(const Stream& stream);

/// Bars of eight heights, the highest for the largest value: "▁▁▃█▁".
[[nodiscard]] std::string sparkline(const std::deque<double>& values);

}  // namespace mcr::status
