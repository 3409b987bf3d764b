// Records do not wrap: one that does not fit before the ring's end begins at its start, and a size
// of 0 stands where it would have begun.
#include "mcr/rules/past.hpp"

#include <cstring>

#include "mcr/config/rule.hpp"

namespace mcr {

std::uint64_t PastRing::next(std::uint64_t place) const noexcept {
  const auto behind = place + capture_record::size_at(at(place));
  const bool skipped = behind != end_ && capture_record::size_at(at(behind)) == 0;
  return skipped ? behind + rest(behind) : behind;
}

void PastRing::put(const CapturedDatagram& datagram, std::span<const std::byte> header,
                   std::span<const std::byte> payload) noexcept {
  const auto size = capture_record::bytes(header, payload);
  if (size > capacity_) return;
  const auto skipped = size > rest(end_) ? rest(end_) : 0;
  const auto end = end_ + skipped + size;
  while (first_ != end_ && end - first_ > capacity_)
    first_ = next(first_);
  if (first_ == end_) first_ = end_ + skipped;
  if (skipped != 0) std::memset(at(end_), 0, sizeof datagram.record);
  capture_record::write(at(end_ + skipped), datagram, header, payload);
  end_ = end;
}

std::uint64_t PastRing::since(std::uint64_t since_ns) const noexcept {
  auto place = first_;
  while (place != end_ && capture_record::datagram_at(at(place)).time_ns < since_ns)
    place = next(place);
  return place;
}

Past::Past(std::uint64_t bytes, std::size_t workers) {
  rings_.reserve(workers);
  for (std::size_t i = 0; i < workers; ++i)
    rings_.emplace_back(bytes / 8 * 8);
}

std::shared_ptr<const Past> Pasts::get(const Rule& rule) {
  if (rule.capture_before == 0) return nullptr;
  std::erase_if(known_, [](const auto& one) { return one.second.past.expired(); });
  auto& known = known_[rule.name];
  auto past = known.past.lock();
  if (past && known.bytes == rule.capture_before) return past;
  past = std::make_shared<const Past>(rule.capture_before, workers_);
  known = {rule.capture_before, past};
  return past;
}

std::shared_ptr<const Past> Pasts::find(const std::string& rule) const {
  const auto known = known_.find(rule);
  return known == known_.end() ? nullptr : known->second.past.lock();
}

}  // namespace mcr
