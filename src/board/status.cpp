#include "board/status.hpp"

#include "board/text.hpp"
#include "core/base/json_text.hpp"

namespace mqboard::board {
namespace {

class Object {
 public:
  Object& text(std::string_view key, std::string_view value) {
    if (value.empty()) return *this;
    name(key);
    append_json_string(out_, value);
    return *this;
  }
  Object& raw(std::string_view key, std::string_view value) { return name(key), out_ += value, *this; }
  Object& flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  Object& number(std::string_view key, std::int64_t value) { return raw(key, std::to_string(value)); }
  Object& object(std::string_view key, Object value) { return raw(key, value.close()); }
  std::string close() { return out_ + '}'; }

 private:
  void name(std::string_view key) {
    if (out_.size() > 1) out_ += ',';
    append_json_string(out_, key);
    out_ += ':';
  }
  std::string out_ = "{";
};

Object status_object(const StatusFields& fields) {
  Object out;
  out.flag("online", fields.online);
  out.raw("protocols", fields.epoch != 0 ? "[1,2]" : "[1]").flag("put_ack", true);
  if (fields.epoch != 0) {
    out.number("epoch", fields.epoch);
    out.object("channel",
               Object().number("credit", fields.channel_credit).number("largest", fields.channel_largest));
  }
  out.object("board", Object()
                          .text("kind", fields.kind)
                          .text("location", fields.location)
                          .text("prefix", fields.prefix)
                          .text("id", fields.unique_id));
  out.object("firmware", Object()
                             .text("version", fields.firmware_version)
                             .text("slot", fields.slot)
                             .text("state", fields.slot_state));
  out.object("boot", Object()
                         .number("count", fields.boot_count)
                         .text("reset_cause", fields.reset_cause)
                         .flag("safe_mode", fields.safe_mode));
  std::string names = "[";
  for (const auto& capability : fields.capabilities) {
    if (names.size() > 1) names += ',';
    append_json_string(names, capability);
  }
  out.raw("capabilities", names + "]");
  if (fields.connected_at_s != 0) out.number("connected_at", fields.connected_at_s);
  out.text("reason", fields.reason);
  if (fields.wake_every_s != 0) out.number("wake_every", fields.wake_every_s);
  if (fields.sleeping) out.flag("sleeping", true);
  if (fields.wakes_at_s != 0) out.number("wakes_at", fields.wakes_at_s);
  return out;
}

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

std::string to_json(const StatusFields& fields) { return status_object(fields).close(); }

std::string to_json(const StatusFields& fields, const InfoFields& info) {
  Object out = status_object(fields);
  out.number("uptime_ms", info.uptime_ms).flag("in_order", info.in_order);
  out.object(
      "flash",
      Object().number("total", number(info.flash_total_bytes)).number("free", number(info.flash_free_bytes)));
  out.object("python", Object()
                           .text("activity", info.python_activity)
                           .number("activity_ms", info.python_activity_ms)
                           .number("heap_used", number(info.heap_used_bytes))
                           .number("heap_free", number(info.heap_free_bytes))
                           .number("collections", number(info.collections))
                           .number("generation", info.interpreter_generation)
                           .number("events_dropped", number(info.events_dropped)));
  out.object("mqtt", Object()
                         .number("connections", number(info.connections))
                         .number("bytes_sent", number(info.bytes_sent))
                         .number("bytes_received", number(info.bytes_received))
                         .number("channels", number(info.channels_open)));
  out.number("log_lost", number(info.log_lost)).number("crash_reports", number(info.crash_reports));
  out.number("resident_bytes", number(info.resident_bytes));
  return out.close();
}

}  // namespace mqboard::board
