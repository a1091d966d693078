// One v1 request in flight: its id, its topic, its replies in order.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/board.hpp"
#include "core/command/v1_client.hpp"

namespace mqboard::cli {

class V1Request {
 public:
  using Collector = command::v1::ReplyCollector;

  // Listens for the replies from here on; nothing is sent. `output` takes the reply's data (may be empty), a
  // failure of it ends the request.
  V1Request(Session& session, std::string_view command, std::string_view tail, Collector::Expect expect,
            Sink output);

  // For put and ota: called with the sequence number of each acknowledgement.
  void on_acknowledged(std::function<void(std::uint16_t)> handler) { acknowledged_ = std::move(handler); }

  // Publishes one message of the request.
  asio::awaitable<Result<>> send(command::v1::Header header, Bytes data);
  [[nodiscard]] bool ended() const { return outcome_.has_value(); }
  // Waits for the end; sends a request of one message again when the board has come back meanwhile. An error
  // of the board is a Failure with an empty message and its text as the detail.
  asio::awaitable<Result<>> finished();

 private:
  void received(const mqtt::MessageView& message);

  Session& session_;
  command::RequestId id_;
  std::string topic_;
  Collector collector_;
  Sink output_;
  std::function<void(std::uint16_t)> acknowledged_;
  std::optional<Result<>> outcome_;
  std::vector<std::uint8_t> message_;
  bool single_ = false;  // message_ is the whole request
  Session::Subscription replies_;
};

}  // namespace mqboard::cli
