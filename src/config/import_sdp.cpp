// SDP (RFC 8866): each m= line is a stream, with the group of its c= line or of the session's, and
// perhaps the sources of a=source-filter (RFC 4570). Streams that a=group:DUP (RFC 7104) names
// together are the same one, sent twice: one rule with an input for each, which merges them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "import_lines.hpp"

namespace mcr {

namespace {

using nlohmann::json;

struct Media {
  std::uint32_t line = 0;
  std::string kind;
  std::string port;
  unsigned ports = 1;
  std::string group;  ///< "": the session's
  std::string mid;
  std::vector<std::string> sources;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(at, begin), text.size());
    if (end != begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

class Reader {
 public:
  explicit Reader(const ImportOptions& options) : options_(options) {}

  void read(std::uint32_t number, char type, const std::string& value) {
    number_ = number;
    if (type == 0) note(number, "this is no line of an SDP");
    if (type == 's' && value != " " && value != "-") session_ = value;
    if (type == 'm') media(value);
    if (type == 'c') connection(value);
    if (type == 'a') attribute(value);
  }

  Imported finish() && {
    if (options_.interface.empty()) note(0, "SDP names no interface: say --interface");
    if (options_.outputs.empty()) note(0, "SDP names no outputs: say --output interface=...");
    if (options_.interface.empty() || options_.outputs.empty()) return std::move(imported_);
    for (std::size_t i = 0; i < media_.size(); ++i)
      if (const auto twins = twins_of(i); twins.front() == i) rule(twins);
    return std::move(imported_);
  }

 private:
  void note(std::uint32_t line, std::string text) {
    imported_.notes.push_back({line, std::move(text)});
  }

  /// m=video 5000/2 RTP/AVP 96
  void media(const std::string& value) {
    const auto words = split(value, ' ');
    auto& media = media_.emplace_back();
    media.line = number_;
    if (words.size() < 3) return note(number_, "m= has too few words");
    media.kind = words[0];
    const auto port = split(words[1], '/');
    media.port = port.empty() ? "" : port[0];
    if (port.size() > 1) media.ports = static_cast<unsigned>(std::atoi(port[1].c_str()));
    if (words[2].find("UDP") == std::string::npos && !words[2].starts_with("RTP/") &&
        words[2] != "udp") {
      note(number_, fmt::format("{} is not UDP", words[2]));
      media.port.clear();
    }
  }

  /// c=IN IP4 239.1.1.1/32/3: a TTL (not for IP6), and a number of groups.
  void connection(const std::string& value) {
    const auto words = split(value, ' ');
    if (words.size() < 3 || words[0] != "IN") return note(number_, "c= is not of the Internet");
    const auto parts = split(words[2], '/');
    const std::size_t before_count = words[1] == "IP6" ? 1 : 2;
    if (parts.size() > before_count && parts[before_count] != "1")
      note(number_, fmt::format("of {} groups only the first is taken", parts[before_count]));
    (media_.empty() ? group_ : media_.back().group) = parts.empty() ? "" : parts[0];
  }

  void attribute(const std::string& value) {
    const auto name = value.substr(0, value.find(':'));
    const auto words = split(value.substr(std::min(value.size(), name.size() + 1)), ' ');
    if (name == "mid" && !media_.empty() && !words.empty()) media_.back().mid = words[0];
    if (name == "group" && !words.empty() && words[0] == "DUP")
      groups_of_twins_.push_back({words.begin() + 1, words.end()});
    if (name == "ssrc-group" && !words.empty() && words[0] == "DUP")
      note(number_, "ssrc-group:DUP: both copies come on one address and port; MCR relays both");
    if (name == "rtcp") note(number_, "rtcp: RTCP is not relayed; that takes a rule of its own");
    if (name == "source-filter") sources(words);
  }

  /// a=source-filter: incl IN IP4 239.1.1.1 10.0.0.5 10.0.0.6
  void sources(const std::vector<std::string>& words) {
    if (words.size() < 5) return note(number_, "source-filter has too few words");
    auto& list = media_.empty() ? sources_ : media_.back().sources;
    for (std::size_t i = 4; i < words.size(); ++i)
      list.push_back((words[0] == "excl" ? "!" : "") + words[i]);
  }

  [[nodiscard]] std::string group_of(const Media& media) const {
    return media.group.empty() ? group_ : media.group;
  }

  /// The indices of the streams that are the same as this one, itself among them.
  [[nodiscard]] std::vector<std::size_t> twins_of(std::size_t index) const {
    for (const auto& mids : groups_of_twins_) {
      std::vector<std::size_t> twins;
      for (std::size_t i = 0; i < media_.size(); ++i)
        if (!media_[i].mid.empty() && std::ranges::count(mids, media_[i].mid) != 0)
          twins.push_back(i);
      if (std::ranges::count(twins, index) != 0) return twins;
    }
    return {index};
  }

  [[nodiscard]] json input_of(const Media& media) const {
    const auto group = group_of(media);
    const bool multicast = group.starts_with("ff") || group.starts_with("FF") ||
                           (std::atoi(group.c_str()) >= 224 && std::atoi(group.c_str()) < 240);
    json input = {{"interface", options_.interface},
                  {multicast ? "group" : "address", group},
                  {"port", port_value(media.port)}};
    const auto& sources = media.sources.empty() ? sources_ : media.sources;
    if (!sources.empty()) input["sources"] = sources;
    return input;
  }

  void rule(const std::vector<std::size_t>& twins) {
    const auto& first = media_[twins.front()];
    Imported::Rule rule{first.line, json::object()};
    auto inputs = json::array();
    for (const auto i : twins) {
      const auto& media = media_[i];
      if (media.port.empty() || media.port == "0" || group_of(media).empty()) {
        note(media.line, "the stream has no port or no address");
        continue;
      }
      if (media.ports > 1) note(media.line, "of several ports only the first is taken");
      inputs.push_back(input_of(media));
    }
    if (inputs.empty()) return;
    rule.keys["name"] = fmt::format("{}{}{}", session_, session_.empty() ? "" : " ",
                                    first.mid.empty() ? first.kind : first.mid)
                            .substr(0, 60);
    if (inputs.size() == 1) {
      rule.keys["input"] = inputs[0];
    } else {
      rule.keys["inputs"] = std::move(inputs);
      rule.keys["merge"] = {{"by", "rtp"}, {"order", "first"}};
    }
    for (auto output : options_.outputs) {
      if (twins.size() > 1 && !output.contains("port")) output["port"] = port_value(first.port);
      if (twins.size() > 1 && !output.contains("group") && !output.contains("address"))
        output["group"] = group_of(first);
      rule.keys["outputs"].push_back(std::move(output));
    }
    imported_.rules.push_back(std::move(rule));
  }

  const ImportOptions& options_;
  Imported imported_;
  std::uint32_t number_ = 0;
  std::string session_;
  std::string group_;
  std::vector<std::string> sources_;
  std::vector<Media> media_;
  std::vector<std::vector<std::string>> groups_of_twins_;
};

}  // namespace

Imported import_sdp(std::string_view text, const ImportOptions& options) {
  Reader reader(options);
  std::uint32_t number = 0;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (line.size() > 2 && line[1] == '=')
      reader.read(number, line[0], std::string(line.substr(2)));
    else if (!line.empty())
      reader.read(number, 0, std::string(line));
  }
  return std::move(reader).finish();
}

}  // namespace mcr
