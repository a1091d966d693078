// Everything boot reads from storage, RTC memory or a sender: any bytes may be there.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/boot/crash_report.hpp"
#include "core/boot/image.hpp"
#include "core/boot/rtc.hpp"
#include "core/boot/slot_record.hpp"

namespace {

using mqboard::Bytes;
namespace boot = mqboard::boot;

void require(bool holds) {
  if (!holds) std::abort();
}

// What decodes, encodes to the same bytes.
void fuzz_records(Bytes input) {
  if (const auto sealed = boot::unseal(input, boot::kSlotRecordFormat))
    (void)boot::decode_slot_record(sealed->payload);
  if (const auto record = boot::decode_slot_record(input))
    require(std::ranges::equal(encode(*record), input));
  if (const auto header = boot::decode_image_header(input)) {
    require(std::ranges::equal(encode(*header), input.first(boot::kImageHeaderBytes)));
  }
  (void)boot::split_crash_note(mqboard::as_text(input));
  if (const auto report = boot::decode_crash_report(input)) {
    std::vector<std::uint8_t> text(boot::kMaxCrashReport);
    require(boot::decode_crash_report(encode(*report, text)).has_value());
  }
}

void fuzz_rtc(Bytes input) {
  static std::uint64_t words[boot::kRtcBytes / sizeof(std::uint64_t)];
  std::memset(words, 0, sizeof words);
  const mqboard::MutableBytes region{reinterpret_cast<std::uint8_t*>(words), boot::kRtcBytes};
  // The input stands at the beginning of every area, as far as it goes.
  for (const std::size_t area : {0x0u, 0x100u, 0x200u, 0x400u, 0x1000u, 0x1900u, 0x3000u, 0x6000u, 0x8000u}) {
    std::ranges::copy(input.first(std::min<std::size_t>(input.size(), 0x100)),
                      region.begin() + static_cast<std::ptrdiff_t>(area));
  }
  boot::RtcMemory rtc(region);
  (void)rtc.system();
  (void)rtc.control().requested();
  (void)rtc.boot_messages().text();
  rtc.crash_note().append("appended");
  require(rtc.user().write(input.first(std::min(input.size(), boot::kRtcUserBytes))));
  std::vector<std::uint8_t> tail(1000);
  (void)rtc.log().tail(tail);
  rtc.log().append("line");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input{data, size};
  fuzz_records(input);
  if (size != 0 && data[0] == 'R') fuzz_rtc(input.subspan(1));
  return 0;
}
