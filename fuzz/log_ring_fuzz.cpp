// The log ring: recovery from arbitrary memory, then arbitrary use. Checked: sequences ascend, the limit
// holds, lines come out as UTF-8.
#include <cstdlib>
#include <vector>

#include "core/base/utf8.hpp"
#include "core/log/log_buffer.hpp"

namespace {

using namespace mqboard;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const log::Ring& ring) {
  std::uint32_t last = 0;
  std::uint8_t line[log::kMaxLine];
  while (const auto entry = ring.after(last)) {
    require(entry->sequence > last);
    last = entry->sequence;
    require(is_utf8(as_bytes(log::format_line(entry->record, std::nullopt, line))));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> memory(data, data + size);
  memory.resize(size / 4 * 4);
  log::Ring ring = log::Ring::recover(memory);
  check(ring);
  Reader script({data, size});
  while (!script.failed() && !script.at_end()) {
    const std::uint8_t what = script.u8();
    switch (what % 5) {
      case 0:
      case 1: {
        const auto level = static_cast<log::Level>(1 + what / 5 % 5);
        const std::string_view logger = as_text(script.take(script.u8() % 40));
        ring.push({.level = level,
                   .since_boot = Millis(what),
                   .logger = logger,
                   .text = as_text(script.take(script.u8()))});
        break;
      }
      case 2:
        static_cast<void>(ring.take());
        break;
      case 3:
        ring.acknowledge(script.u8());
        break;
      case 4:
        what > 127 ? ring.rewind() : ring.limit(script.u16());
        break;
    }
    require(ring.bytes_used() <= memory.size());
  }
  check(ring);
  return 0;
}
