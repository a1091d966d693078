#include "core/command/status.hpp"

#include <array>

namespace mqboard::command {
namespace {

struct Named {
  StatusCode code;
  std::string_view name;
};

constexpr std::array kNames{
    Named{StatusCode::ok, "ok"},
    Named{StatusCode::cancelled, "cancelled"},
    Named{StatusCode::malformed, "malformed"},
    Named{StatusCode::unsupported, "unsupported"},
    Named{StatusCode::busy, "busy"},
    Named{StatusCode::lost, "lost"},
    Named{StatusCode::timed_out, "timed_out"},
    Named{StatusCode::refused, "refused"},
    Named{StatusCode::integrity, "integrity"},
    Named{StatusCode::too_large, "too_large"},
    Named{StatusCode::internal, "internal"},
    Named{StatusCode::not_found, "not_found"},
    Named{StatusCode::exists, "exists"},
    Named{StatusCode::not_a_directory, "not_a_directory"},
    Named{StatusCode::is_a_directory, "is_a_directory"},
    Named{StatusCode::not_empty, "not_empty"},
    Named{StatusCode::no_space, "no_space"},
    Named{StatusCode::access, "access"},
    Named{StatusCode::escapes, "escapes"},
    Named{StatusCode::invalid, "invalid"},
    Named{StatusCode::too_long, "too_long"},
    Named{StatusCode::too_many_open, "too_many_open"},
    Named{StatusCode::io, "io"},
    Named{StatusCode::exception, "exception"},
    Named{StatusCode::interrupted, "interrupted"},
    Named{StatusCode::exited, "exited"},
    Named{StatusCode::crashed, "crashed"},
};

}  // namespace

std::string_view name(StatusCode code) {
  for (const Named& named : kNames)
    if (named.code == code) return named.name;
  return "unknown";
}

StatusCode status_code(FsError error) {
  static_assert(static_cast<int>(StatusCode::io) - static_cast<int>(StatusCode::not_found) ==
                static_cast<int>(FsError::io) - static_cast<int>(FsError::not_found));
  return static_cast<StatusCode>(static_cast<int>(StatusCode::not_found) + static_cast<int>(error));
}

Status file_status(FsError error, std::string_view what) {
  Status status{status_code(error), what};
  status.text.append(": ").append(describe(error));
  return status;
}

}  // namespace mqboard::command
