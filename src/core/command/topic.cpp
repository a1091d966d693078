#include "core/command/topic.hpp"

#include <algorithm>

namespace mqboard::command {
namespace {

constexpr std::string_view kCommands = "/mqb/cmd/";
constexpr std::string_view kReplies = "/mqb/reply/";
constexpr std::string_view kStatus = "/mqb/status";

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '=';
}

// What follows `prefix` and `branch`, which must both be there.
std::optional<std::string_view> beneath(std::string_view prefix, std::string_view branch,
                                        std::string_view topic) {
  if (!topic.starts_with(prefix)) return std::nullopt;
  topic.remove_prefix(prefix.size());
  if (!topic.starts_with(branch)) return std::nullopt;
  topic.remove_prefix(branch.size());
  return topic;
}

std::string_view word(ReplyKind kind) {
  switch (kind) {
    case ReplyKind::out:
      return "out";
    case ReplyKind::err:
      return "err";
    case ReplyKind::channel:
      return "ch";
  }
  return "out";
}

}  // namespace

bool is_prefix(std::string_view text) {
  if (text.empty() || text.size() > kMaxPrefix || text.front() == '/' || text.back() == '/') return false;
  if (text.front() == '$' || text.find("//") != std::string_view::npos || !is_utf8(as_bytes(text)))
    return false;
  return std::ranges::none_of(
      text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f || c == '+' || c == '#'; });
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId && std::ranges::all_of(text, is_id_character);
}

RequestId make_request_id(std::uint64_t random) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  RequestId id;
  for (int i = 0; i < 8; ++i, random >>= 6) id.append(kAlphabet.substr(random & 63, 1));
  return id;
}

std::optional<RequestTopic> parse_request_topic(std::string_view prefix, std::string_view topic) {
  const auto rest = beneath(prefix, kCommands, topic);
  if (!rest) return std::nullopt;
  const auto command_end = rest->find('/');
  if (command_end == 0 || command_end == std::string_view::npos) return std::nullopt;
  RequestTopic parsed{.command = rest->substr(0, command_end), .id = rest->substr(command_end + 1)};
  if (const auto id_end = parsed.id.find('/'); id_end != std::string_view::npos) {
    parsed.tail = parsed.id.substr(id_end + 1);
    parsed.id = parsed.id.substr(0, id_end);
    parsed.has_tail = true;
  }
  if (!is_request_id(parsed.id)) return std::nullopt;
  return parsed;
}

std::optional<ReplyTopic> parse_reply_topic(std::string_view prefix, std::string_view topic) {
  const auto rest = beneath(prefix, kReplies, topic);
  if (!rest) return std::nullopt;
  for (const ReplyKind kind : {ReplyKind::out, ReplyKind::err, ReplyKind::channel}) {
    const std::string_view kind_word = word(kind);
    if (!rest->starts_with(kind_word) || rest->substr(kind_word.size(), 1) != "/") continue;
    const std::string_view id = rest->substr(kind_word.size() + 1);
    if (is_request_id(id)) return ReplyTopic{kind, id};
  }
  return std::nullopt;
}

std::optional<std::string_view> prefix_of_status_topic(std::string_view topic) {
  if (!topic.ends_with(kStatus)) return std::nullopt;
  const std::string_view prefix = topic.substr(0, topic.size() - kStatus.size());
  if (!is_prefix(prefix)) return std::nullopt;
  return prefix;
}

Topic request_topic(std::string_view prefix, std::string_view command, std::string_view id) {
  return Topic(prefix).append(kCommands).append(command).append("/").append(id);
}

Topic request_topic(std::string_view prefix, std::string_view command, std::string_view id,
                    std::string_view tail) {
  return request_topic(prefix, command, id).append("/").append(tail);
}

Topic reply_topic(std::string_view prefix, ReplyKind kind, std::string_view id) {
  return Topic(prefix).append(kReplies).append(word(kind)).append("/").append(id);
}

Topic log_topic(std::string_view prefix) { return Topic(prefix).append("/log"); }
Topic status_topic(std::string_view prefix) { return Topic(prefix).append(kStatus); }
Topic stay_awake_topic(std::string_view prefix) {
  return Topic(prefix).append(kCommands).append("stay_awake");
}
Topic request_filter(std::string_view prefix) { return Topic(prefix).append(kCommands).append("#"); }

Topic reply_filter(std::string_view prefix, std::string_view id) {
  return Topic(prefix).append(kReplies).append("+/").append(id);
}

}  // namespace mqboard::command
