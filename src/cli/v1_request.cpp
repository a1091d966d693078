#include "cli/v1_request.hpp"

#include <fmt/core.h>

namespace mqboard::cli {

namespace v1 = command::v1;

namespace {

// As the original's CLI forms it: `.../put/<id>/` and then the path, so that "/x" gives a double slash.
std::string request_topic(const Session& session, std::string_view command, std::string_view id,
                          std::string_view tail) {
  const std::string& prefix = session.settings().prefix;
  return std::string(tail.empty() ? command::request_topic(prefix, command, id).view()
                                  : command::request_topic(prefix, command, id, tail).view());
}

}  // namespace

V1Request::V1Request(Session& session, std::string_view command, std::string_view tail,
                     Collector::Expect expect, Sink output)
    : session_(session),
      id_(session.new_request_id()),
      topic_(request_topic(session, command, id_, tail)),
      collector_(expect),
      output_(std::move(output)),
      replies_(session, command::reply_filter(session.settings().prefix, id_), mqtt::QoS::at_most_once,
               [this](const mqtt::MessageView& message) { received(message); }) {}

asio::awaitable<Result<>> V1Request::send(v1::Header header, Bytes data) {
  const auto head = v1::encode(header);
  single_ = header.last && header.sequence == 0;
  message_.assign(head.begin(), head.end());
  message_.insert(message_.end(), data.begin(), data.end());
  return session_.publish(topic_, message_);
}

asio::awaitable<Result<>> V1Request::finished() {
  while (true) {
    const unsigned returns = session_.returns(), wakes = session_.wakes();
    const auto moved = [this, returns] { return ended() || session_.returns() != returns; };
    if (auto ok = co_await session_.until(moved); !ok) co_return ok;
    if (ended()) co_return *outcome_;
    if (single_) {  // it may have been lost; if not, the board knows it by its id
      if (auto ok = co_await session_.publish(topic_, message_); !ok) co_return ok;
    } else if (session_.wakes() != wakes) {  // the board forgets what was sent while it slept
      co_return fail(ExitStatus::no_answer,
                     fmt::format("board {} slept meanwhile", session_.settings().prefix));
    }
  }
}

void V1Request::received(const mqtt::MessageView& message) {
  const auto reply = command::parse_reply_topic(session_.settings().prefix, message.topic);
  if (!reply || reply->id != id_.view() || outcome_) return;
  using Kind = Collector::Kind;
  const Collector::Event event = collector_.reply(reply->kind, message.payload);
  switch (event.kind) {
    case Kind::ignored:
      return;
    case Kind::acknowledged:
      if (acknowledged_) acknowledged_(event.sequence);
      return;
    case Kind::failed:
      outcome_ = std::unexpected(Failure{
          .status = ExitStatus::board_error, .message = {}, .detail = std::string(as_text(event.data))});
      return;
    case Kind::broken:
      outcome_ = fail(ExitStatus::integrity,
                      fmt::format("a part of the reply of board {} was lost", session_.settings().prefix));
      return;
    case Kind::data:
    case Kind::done:
      break;
  }
  Result<> taken = output_ && !event.data.empty() ? output_(event.data) : Result<>{};
  if (!taken || event.kind == Kind::done) outcome_ = std::move(taken);
}

}  // namespace mqboard::cli
