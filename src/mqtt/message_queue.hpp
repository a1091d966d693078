// Received messages waiting for Client::receive(), first in, first out, kept back to back in one buffer.
#pragma once

#include <mqboard/mqtt/message.hpp>
#include <vector>

namespace mqboard::mqtt {

class MessageQueue {
 public:
  // The capacity in bytes is where full() begins; the message that crosses it is still taken in.
  explicit MessageQueue(std::size_t capacity) : capacity_(capacity) {}

  void push(const MessageView& message);

  [[nodiscard]] bool empty() const { return head_ == bytes_.size(); }
  [[nodiscard]] bool full() const { return bytes_.size() - head_ >= capacity_; }

  // Takes the oldest message; there must be one. What is returned stays valid until the next take().
  MessageView take();

 private:
  struct Header {
    std::uint32_t topic_bytes, payload_bytes, property_bytes;
    AckToken ack;
    QoS qos;
    bool retained, duplicate;
  };

  void append(const void* data, std::size_t size);

  std::size_t capacity_;
  std::vector<std::uint8_t> bytes_;
  std::size_t head_ = 0;
  std::vector<std::uint8_t> taken_;
};

}  // namespace mqboard::mqtt
