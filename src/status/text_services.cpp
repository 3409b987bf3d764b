#include "mcr/status/text_services.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "text_table.hpp"
#include "text_values.hpp"

namespace mcr::status {

namespace {

constexpr std::size_t columns = 80;

std::string interface_part(const Reflector& reflector, const std::string& interface) {
  TextTable table({{"  SERVICE"},
                   {"NAME", false, true},
                   {"FROM", false, true},
                   {"HEARD", true},
                   {"LIVES", true}});
  std::size_t count = 0;
  for (const auto& service : reflector.services) {
    if (service.interface != interface) continue;
    ++count;
    table.add({{"  " + printable(service.type), printable(service.name), printable(service.from),
                service.age_s ? duration(*service.age_s) + " ago" : "-",
                service.lives_s ? duration(*service.lives_s) : "-"},
               {}});
  }
  if (count == 0) return fmt::format("\n{}: no services heard\n", shown(interface));
  return fmt::format("\n{}: {} heard\n", shown(interface), plural(count, "service")) +
         table.str(columns);
}

}  // namespace

std::string render_services(const Reflector& reflector) {
  auto result = wrapped("",
                        fmt::format("reflector {} ({}): {}", shown(reflector.name),
                                    shown(reflector.kind), shown(reflector.state)),
                        columns);
  if (reflector.kind != "mdns")
    return result + wrapped("",
                            "Only services of mDNS are listed; mcr status shows what this one "
                            "relays.",
                            columns);
  for (const auto& interface : reflector.interfaces)
    result += interface_part(reflector, interface);
  if (reflector.services_forgotten.value_or(0) != 0)
    result += '\n' + wrapped("! ",
                             fmt::format("{} more were heard and forgotten: of each interface the "
                                         "last 128 are kept",
                                         grouped(reflector.services_forgotten)),
                             columns);
  return result;
}

}  // namespace mcr::status
