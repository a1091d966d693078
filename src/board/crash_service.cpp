#include "board/crash_service.hpp"

#include <charconv>

#include "board/text.hpp"

namespace mqboard::board {
namespace {

std::string name_of(boot::CrashId id) {
  const std::string digits = std::to_string(id);
  return std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits;
}

std::optional<boot::CrashId> id_of(std::string_view name) {
  boot::CrashId id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return id;
}

std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text.substr(text.find_last_of('\n') + 1);
}

// What a traceback says in a line: the exception, but of the KeyboardInterrupt that ended a hung application,
// where it was.
std::string_view gist(std::string_view traceback) {
  const std::string_view last = last_line(traceback);
  if (!last.starts_with("KeyboardInterrupt")) return last;
  const std::size_t place = traceback.rfind("File \"");
  return place == std::string_view::npos ? last
                                         : traceback.substr(place, traceback.find('\n', place) - place);
}

std::string headline(const boot::CrashReport& report) {
  std::string line = concat(boot::name(report.cause), report.detail.empty() ? "" : ": ", report.detail);
  if (!report.traceback.empty()) append(line, concat(": ", gist(report.traceback)));
  return line;
}

}  // namespace

void CrashService::add(boot::CrashCause cause, std::string_view detail, std::string_view traceback) {
  const Millis uptime = env_.uptime();
  if (uptime - hour_began_ >= std::chrono::hours{1}) hour_began_ = uptime, this_hour_ = 0;
  if (++this_hour_ > kMostPerHour) {
    if (this_hour_ == kMostPerHour + 1)
      env_.report(40, "too many crash reports: none is kept for up to an hour");
    return;
  }
  const std::string log = env_.log_tail();
  boot::CrashReport report;
  report.cause = cause;
  report.detail = detail;
  report.firmware = env_.firmware;
  report.image = env_.image;
  report.boot_count = env_.boot_count;
  report.uptime_ms = static_cast<std::uint64_t>(uptime.count());
  report.time_s = env_.time_s();
  report.traceback = traceback;
  report.log = log;
  const auto kept = store_.add(report);
  if (!kept) return env_.report(40, concat("the crash report could not be kept: ", describe(kept.error())));
  env_.report(40, concat("crash report ", name_of(*kept), ": ", headline(report)));
  env_.set_announced(*kept);
}

void CrashService::announce() {
  const boot::CrashId last = env_.announced();
  boot::CrashId newest = last;
  for (const auto& crash : list()) {
    const boot::CrashId id = id_of(crash.name).value_or(0);
    if (id <= last) continue;
    env_.report(50, concat("crash report ", crash.name, ": ", crash.headline));
    newest = std::max(newest, id);
  }
  if (newest != last) env_.set_announced(newest);
}

std::vector<CrashSummary> CrashService::list() {
  std::array<boot::CrashStore::Entry, boot::CrashStore::kMaxReports + 1> entries;
  std::vector<CrashSummary> found;
  const auto listed = store_.list(entries);
  if (!listed) return found;
  std::vector<std::uint8_t> buffer(boot::kMaxCrashReport);
  for (const auto& entry : *listed) {
    CrashSummary summary{
        .name = name_of(entry.id), .size_bytes = entry.size_bytes, .time_s = 0, .headline = "unreadable"};
    if (const auto text = store_.read(entry.id, buffer)) {
      if (const auto report = boot::decode_crash_report(*text)) {
        summary.time_s = report->time_s;
        summary.headline = headline(*report);
      }
    }
    found.push_back(std::move(summary));
  }
  return found;
}

std::expected<std::string, FsError> CrashService::read(std::string_view name) {
  const auto id = id_of(name);
  if (!id) return std::unexpected(FsError::not_found);
  std::vector<std::uint8_t> buffer(boot::kMaxCrashReport);
  const auto text = store_.read(*id, buffer);
  if (!text) return std::unexpected(text.error());
  return std::string(as_text(*text));
}

std::expected<void, FsError> CrashService::remove(std::string_view name) {
  const auto id = id_of(name);
  if (!id) return std::unexpected(FsError::not_found);
  if (const auto removed = store_.remove(*id); !removed) return removed;
  // The next report counts on from what is left: it may get this id again.
  const auto left = list();
  const boot::CrashId newest = left.empty() ? 0 : id_of(left.back().name).value_or(0);
  if (env_.announced() > newest) env_.set_announced(newest);
  return {};
}

}  // namespace mqboard::board
