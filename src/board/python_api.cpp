#include "board/python_api.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "board/log_levels.hpp"
#include "board/nv_store.hpp"
#include "board/text.hpp"
#include "core/base/json_text.hpp"

namespace mqboard::board {

namespace {

using python::Call;
using python::HostModule;
using python::HostResult;
using python::None;
using python::Value;

// A JSON object written member by member.
class Json {
 public:
  Json& add(std::string_view key, std::string_view value) {
    begin(key);
    append_json_string(text_, value);
    return *this;
  }
  Json& add(std::string_view key, std::uint64_t value) {
    begin(key);
    text_ += std::to_string(value);
    return *this;
  }
  Json& flag(std::string_view key, bool value) {
    begin(key);
    text_ += value ? "true" : "false";
    return *this;
  }
  Json& add(std::string_view key, const std::vector<std::string>& values) {
    begin(key);
    text_ += '[';
    for (const auto& value : values) {
      if (text_.back() != '[') text_ += ',';
      append_json_string(text_, value);
    }
    text_ += ']';
    return *this;
  }
  [[nodiscard]] std::string text() const { return text_ + "}"; }

 private:
  void begin(std::string_view key) {
    if (text_.size() > 1) text_ += ',';
    append_json_string(text_, key);
    text_ += ':';
  }
  std::string text_ = "{";
};

std::string hex(Bytes data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : data) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

python::ByteString owned(Bytes data) { return {data.begin(), data.end()}; }

HostResult answer(BoardApi::Answer<void> result) {
  if (!result) return std::unexpected(std::move(result.error()));
  return None{};
}

std::string json(const SlotFacts& slot) {
  return Json()
      .add("label", slot.label)
      .add("size", slot.size_bytes)
      .flag("confirmed", slot.confirmed)
      .text();
}

// --- _board

void add_identity(HostModule& module, BoardApi& api) {
  module.functions.push_back({"facts", [&api](Call&) -> HostResult {
                                const BoardFacts facts = api.facts();
                                return Json()
                                    .add("kind", facts.kind)
                                    .add("location", facts.location)
                                    .add("prefix", facts.prefix)
                                    .add("version", facts.version)
                                    .add("modules", facts.modules)
                                    .flag("safe_mode", facts.safe_mode)
                                    .add("reset_cause", static_cast<std::uint64_t>(facts.reset_cause))
                                    .text();
                              }});
  module.functions.push_back({"unique_id", [&api](Call&) -> HostResult { return api.facts().unique_id; }});
  module.functions.push_back(
      {"table", [&api](Call& call) -> HostResult { return api.table_json(call.text(0)); }});
  std::string native;
  for (const auto name : kNativeModules) native += concat(native.empty() ? "" : ",", name);
  module.constants.push_back({"NATIVE", native});
}

int qos_of(const Call& call, std::size_t index) {
  const std::int64_t qos = call.integer(index);
  if (qos < 0 || qos > 2) throw python::Exception{python::Exception::Type::value_error, "qos is 0, 1 or 2"};
  return static_cast<int>(qos);
}

void add_mqtt(HostModule& module, BoardApi& api) {
  module.functions.push_back({"publish", [&api](Call& call) -> HostResult {
                                PythonMessage message{.topic = std::string(as_text(call.bytes(0))),
                                                      .payload = owned(call.bytes(1)),
                                                      .retain = call.boolean(2),
                                                      .qos = qos_of(call, 3),
                                                      .sync = call.boolean(4)};
                                api.publish(std::move(message), call.defer());
                                return None{};
                              }});
  module.functions.push_back({"subscribe", [&api](Call& call) -> HostResult {
                                const std::string filter(as_text(call.bytes(0)));
                                const int qos = qos_of(call, 1);
                                api.subscribe(filter, qos, call.defer());
                                return None{};
                              }});
  module.functions.push_back({"unsubscribe", [&api](Call& call) -> HostResult {
                                const std::string filter(as_text(call.bytes(0)));
                                api.unsubscribe(filter, call.defer());
                                return None{};
                              }});
  module.functions.push_back({"connected", [&api](Call&) -> HostResult { return api.connected(); }});
}

void add_log(HostModule& module, BoardApi& api) {
  module.functions.push_back({"log", [&api](Call& call) -> HostResult {
                                api.log(static_cast<int>(call.integer(0)), call.text(1),
                                        as_text(call.bytes(2)));
                                return None{};
                              }});
  module.functions.push_back(
      {"log_level", [&api](Call& call) -> HostResult { return std::int64_t{api.log_level(call.text(0))}; }});
  module.functions.push_back({"set_log_level", [&api](Call& call) -> HostResult {
                                const std::int64_t level = call.integer(1);
                                if (level < 0 || level > 1000) return python::value_error("no such level");
                                api.set_log_level(call.text(0), static_cast<int>(level));
                                return None{};
                              }});
  module.functions.push_back({"failure", [&api](Call& call) -> HostResult {
                                api.report_failure(call.text(0), call.text(1));
                                return None{};
                              }});
}

template<class Enum>
Enum one_of(const Call& call, std::size_t index, Enum last) {
  const std::int64_t number = call.integer(index);
  if (number < 0 || number > static_cast<std::int64_t>(last)) {
    throw python::Exception{python::Exception::Type::value_error, "argument out of range"};
  }
  return static_cast<Enum>(number);
}

std::chrono::milliseconds milliseconds(const Call& call, std::size_t index) {
  constexpr std::int64_t kMost = std::int64_t{366} * 24 * 3600 * 1000;
  const std::int64_t number = call.integer(index);
  if (number < 0 || number > kMost) {
    throw python::Exception{python::Exception::Type::value_error, "time out of range"};
  }
  return std::chrono::milliseconds(number);
}

void add_reset(HostModule& module, BoardApi& api) {
  const auto constant = [&](const char* name, auto value) {
    module.constants.push_back({name, static_cast<std::int64_t>(value)});
  };
  constant("HARD", boot::ResetRequest::hard);
  constant("SOFT", boot::ResetRequest::soft);
  constant("AS_DECIDED", boot::ModeRequest::none);
  constant("NORMAL", boot::ModeRequest::normal);
  constant("SAFE", boot::ModeRequest::safe);
  module.functions.push_back({"reset", [&api](Call& call) -> HostResult {
                                const auto kind = one_of(call, 0, boot::ResetRequest::soft);
                                api.reset(kind, one_of(call, 1, boot::ModeRequest::safe));
                                return None{};
                              }});
  module.functions.push_back({"deep_sleep", [&api](Call& call) -> HostResult {
                                api.deep_sleep(milliseconds(call, 0));
                                return None{};
                              }});
  module.functions.push_back({"rtc_memory", [&api](Call&) -> HostResult { return api.rtc_memory(); }});
  module.functions.push_back({"set_rtc_memory", [&api](Call& call) -> HostResult {
                                const Bytes data = call.bytes(0);
                                if (data.size() > BoardApi::kRtcMemory) {
                                  return python::value_error(
                                      concat("at most ", BoardApi::kRtcMemory, " bytes"));
                                }
                                api.set_rtc_memory(owned(data));
                                return None{};
                              }});
  module.functions.push_back(
      {"feed", [&api](Call& call) -> HostResult { return api.feed_watchdog(call.text(0)); }});
  module.functions.push_back({"feed_wdt", [&api](Call& call) -> HostResult {
                                api.feed_application_watchdog(milliseconds(call, 0));
                                return None{};
                              }});
}

void add_firmware(HostModule& module, BoardApi& api) {
  module.functions.push_back(
      {"running_slot", [&api](Call&) -> HostResult { return json(api.running_slot()); }});
  module.functions.push_back({"other_slot", [&api](Call&) -> HostResult {
                                const auto slot = api.other_slot();
                                return slot ? json(*slot) : "null";
                              }});
  module.functions.push_back(
      {"confirm_image", [&api](Call&) -> HostResult { return answer(api.confirm_image()); }});
  module.functions.push_back(
      {"select_slot", [&api](Call& call) -> HostResult { return answer(api.select_slot(call.text(0))); }});
}

void add_machine(HostModule& module, BoardApi& api) {
  module.functions.push_back({"network", [&api](Call&) -> HostResult {
                                const NetworkFacts facts = api.network();
                                return Json()
                                    .flag("up", facts.up)
                                    .add("interface", facts.interface)
                                    .add("address", facts.address)
                                    .add("netmask", facts.netmask)
                                    .add("gateway", facts.gateway)
                                    .add("nameserver", facts.nameserver)
                                    .add("hostname", facts.hostname)
                                    .add("mac", hex(facts.mac))
                                    .text();
                              }});
  module.functions.push_back(
      {"cpu_hz", [&api](Call&) -> HostResult { return static_cast<std::int64_t>(api.cpu_hz()); }});
  module.functions.push_back({"clock_known", [&api](Call&) -> HostResult { return api.clock_known(); }});
  module.functions.push_back({"set_utc", [&api](Call& call) -> HostResult {
                                const std::int64_t utc_us = call.integer(0);
                                // Nanoseconds of it must fit 64 bits too.
                                if (utc_us < 0 || utc_us > INT64_MAX / 1000)
                                  return python::value_error("time");
                                api.set_utc(std::chrono::microseconds(utc_us));
                                return None{};
                              }});
  module.functions.push_back({"query_ntp", [&api](Call& call) -> HostResult {
                                const std::string server(call.text(0));
                                api.query_ntp(server, call.defer());
                                return None{};
                              }});
}

// --- _pins

template<class Enum>
std::optional<Enum> optional_of(const Call& call, std::size_t index) {
  if (!call.given(index) || call.integer(index) < 0) return {};
  return static_cast<Enum>(call.integer(index));
}

PinSetup pin_setup(const Call& call) {
  PinSetup setup{.mode = optional_of<PinMode>(call, 1), .pull = optional_of<PinPull>(call, 2), .level = {}};
  if (call.given(3)) setup.level = call.boolean(3);
  const auto mode = setup.mode.value_or(PinMode::in);
  if ((mode != PinMode::in && mode != PinMode::out && mode != PinMode::open_drain) ||
      setup.pull.value_or(PinPull::none) > PinPull::up) {
    throw python::Exception{python::Exception::Type::value_error, "no such mode or pull"};
  }
  return setup;
}

HostModule pins_module(BoardApi& api) {
  HostModule module{.name = "_pins", .functions = {}, .constants = {}};
  module.functions.push_back(
      {"look_up", [&api](Call& call) -> HostResult { return answer(api.pins().look_up(call.text(0))); }});
  module.functions.push_back({"configure", [&api](Call& call) -> HostResult {
                                return answer(api.pins().configure(call.text(0), pin_setup(call)));
                              }});
  module.functions.push_back({"read", [&api](Call& call) -> HostResult {
                                const auto level = api.pins().read(call.text(0));
                                if (!level) return std::unexpected(level.error());
                                return std::int64_t{*level ? 1 : 0};
                              }});
  module.functions.push_back({"write", [&api](Call& call) -> HostResult {
                                return answer(api.pins().write(call.text(0), call.boolean(1)));
                              }});
  module.functions.push_back({"watch", [&api](Call& call) -> HostResult {
                                const auto edges = one_of(call, 1, PinEdges::both);
                                return answer(api.pins().watch(call.text(0), edges));
                              }});
  module.functions.push_back({"drive", [&api](Call& call) -> HostResult {
                                return answer(api.pins().drive(call.text(0), call.boolean(1)));
                              }});
  return module;
}

// --- _nvs

HostResult answer(FsResult<void> result) {
  if (result) return None{};
  if (result.error() == FsError::invalid) return python::value_error("name or blob too long");
  const bool full = result.error() == FsError::no_space;
  return python::os_error(full ? ENOSPC : EIO, std::string(describe(result.error())));
}

HostModule nvs_module(BoardApi& api) {
  HostModule module{.name = "_nvs", .functions = {}, .constants = {}};
  auto store = std::make_shared<NvStore>(api.flash());
  module.functions.push_back({"get", [&api, store](Call& call) -> HostResult {
                                const bool was_damaged = store->damaged();
                                auto item = store->get(call.text(0), call.text(1));
                                if (store->damaged() && !was_damaged) {
                                  api.log(kError, "nvs",
                                          "the stored values are damaged: starting without any");
                                }
                                if (!item) return None{};
                                if (const auto* number = std::get_if<std::int32_t>(&*item)) {
                                  return std::int64_t{*number};
                                }
                                return std::get<python::ByteString>(std::move(*item));
                              }});
  module.functions.push_back({"set_i32", [store](Call& call) -> HostResult {
                                const std::int64_t value = call.integer(2);
                                if (value < INT32_MIN || value > INT32_MAX) {
                                  return python::value_error("not a 32-bit integer");
                                }
                                return answer(
                                    store->set(call.text(0), call.text(1), static_cast<std::int32_t>(value)));
                              }});
  module.functions.push_back({"set_blob", [store](Call& call) -> HostResult {
                                return answer(store->set(call.text(0), call.text(1), owned(call.bytes(2))));
                              }});
  module.functions.push_back(
      {"erase", [store](Call& call) -> HostResult { return store->erase(call.text(0), call.text(1)); }});
  module.functions.push_back({"commit", [store](Call&) -> HostResult { return answer(store->commit()); }});
  return module;
}

}  // namespace

std::vector<HostModule> make_host_modules(BoardApi& api) {
  HostModule board{.name = "_board", .functions = {}, .constants = {}};
  add_identity(board, api);
  add_mqtt(board, api);
  add_log(board, api);
  add_reset(board, api);
  add_firmware(board, api);
  add_machine(board, api);
  std::vector<HostModule> modules;
  modules.push_back(std::move(board));
  modules.push_back(pins_module(api));
  modules.push_back(nvs_module(api));
  return modules;
}

// Nothing on flash may take the place of the launcher and what it imports.
std::string launcher_source() {
  return "import sys\n"
         "sys.path[:] = ['/rom', '.frozen']\n"
         "__import__('_launcher').run(globals())\n";
}

std::string feed_source(std::string_view secret) {
  return concat("__import__('_board').feed('", secret, "')");
}

bool post_connected(python::Runtime& runtime, bool connected) {
  return runtime.post_event("mqtt", {connected});
}

bool post_message(python::Runtime& runtime, std::string_view topic, Bytes payload, bool retained, int qos,
                  bool duplicate) {
  return runtime.post_event("message",
                            {owned(as_bytes(topic)), owned(payload), retained, std::int64_t{qos}, duplicate});
}

bool post_log_level(python::Runtime& runtime, std::string_view logger, int level) {
  return runtime.post_event("log_level", {std::string(logger), std::int64_t{level}});
}

bool post_pin(python::Runtime& runtime, std::string_view pin, bool level) {
  return runtime.post_event("pin", {std::string(pin), level});
}

}  // namespace mqboard::board
