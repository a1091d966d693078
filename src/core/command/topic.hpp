// The topics of a board (docs/WIRE.md, "Topics"). `<p>` is the board's prefix, e.g. esp32/kitchen:
//
//   <p>/mqb/cmd/<command>/<id>[/<tail>]   requests            <p>/log          log lines
//   <p>/mqb/reply/out/<id>                replies             <p>/mqb/status   retained announcement
//   <p>/mqb/reply/err/<id>                errors (v1)         <p>/mqb/reply/ch/<id>, command "ch": v2 channel
//
// A prefix matches exactly, byte for byte, followed by '/': a/b is no prefix of a/bc/mqb/... The views
// parsing returns borrow from the topic. Topics are at most kMaxTopic bytes; a formatted topic that would be
// longer comes out truncated() and must not be used.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/file_system.hpp"
#include "core/command/fixed_text.hpp"

namespace mqboard::command {

inline constexpr std::size_t kMaxPrefix = 128;
inline constexpr std::size_t kMaxCommand = 16;
inline constexpr std::size_t kMaxId = 32;
inline constexpr std::size_t kMaxTopic = kMaxPrefix + kMaxCommand + kMaxId + kMaxPath + 16;

using Topic = FixedText<kMaxTopic>;
using RequestId = FixedText<kMaxId>;

// Printable, no wildcard, no leading, trailing or doubled '/', 1 to kMaxPrefix bytes.
[[nodiscard]] bool is_prefix(std::string_view text);
// 1 to kMaxId of A-Z a-z 0-9 _ - =
[[nodiscard]] bool is_request_id(std::string_view text);

// 8 characters of URL-safe base64 from the low 48 bits of `random`.
[[nodiscard]] RequestId make_request_id(std::uint64_t random);

struct RequestTopic {
  std::string_view command{};
  std::string_view id{};
  std::string_view tail{};  // what follows the '/' after the id: a path, a hash
  bool has_tail = false;    // `.../<id>/` has a tail, the empty one

  // The watchdog's loop-back.
  [[nodiscard]] bool loops_back() const { return command == "eval" && has_tail && tail.empty(); }
  bool operator==(const RequestTopic&) const = default;
};

enum class ReplyKind : std::uint8_t { out, err, channel };

struct ReplyTopic {
  ReplyKind kind = ReplyKind::out;
  std::string_view id{};
  bool operator==(const ReplyTopic&) const = default;
};

// Nothing when `topic` is not such a topic of exactly this prefix.
[[nodiscard]] std::optional<RequestTopic> parse_request_topic(std::string_view prefix,
                                                              std::string_view topic);
[[nodiscard]] std::optional<ReplyTopic> parse_reply_topic(std::string_view prefix, std::string_view topic);
// The prefix of `<p>/mqb/status`, for discovery through `+/+/mqb/status` and the like.
[[nodiscard]] std::optional<std::string_view> prefix_of_status_topic(std::string_view topic);

[[nodiscard]] Topic request_topic(std::string_view prefix, std::string_view command, std::string_view id);
[[nodiscard]] Topic request_topic(std::string_view prefix, std::string_view command, std::string_view id,
                                  std::string_view tail);
[[nodiscard]] Topic reply_topic(std::string_view prefix, ReplyKind kind, std::string_view id);
[[nodiscard]] Topic log_topic(std::string_view prefix);
[[nodiscard]] Topic status_topic(std::string_view prefix);
// Retained, not empty: the board shall stay awake for an operator when it wakes.
[[nodiscard]] Topic stay_awake_topic(std::string_view prefix);

// Subscription filters: `<p>/mqb/cmd/#` for the board, `<p>/mqb/reply/+/<id>` for whoever asks.
[[nodiscard]] Topic request_filter(std::string_view prefix);
[[nodiscard]] Topic reply_filter(std::string_view prefix, std::string_view id);

}  // namespace mqboard::command
